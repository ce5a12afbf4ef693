"""How customers answers data-subject commands."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from services.customers.addresses import actions as addresses
from services.customers.events import RecordsViewed
from services.customers.policy.model import FieldPolicy
from services.customers.recipients.model import of_category
from services.customers.records import forgotten
from services.customers.records.actions import opened
from services.customers.tables import FIELDS, Customer, CustomerLocator, UnusableValue
from shared.clock import rfc3339
from shared.holder.contract import Category, Kept
from shared.holder.sdk import Forgotten, Found, Holder, found_by
from shared.keys.marks import Marks
from shared.work import Work

KEPT = [
    Kept(what="the pseudonym, and when it was made and erased", reason="GDPR 5(2), 17(3)(e): to show the erasure"),
    Kept(
        what="keyed hashes of the customer number and of the e-mail address, under a key that is in no backup",
        reason="GDPR 5(2), 17(1): so that a file, also one with a new number, does not bring the record back",
    ),
]


class CustomersHolder(Holder):
    """Customer records."""

    name = "customers"

    def __init__(self, policy: FieldPolicy, marks: Marks) -> None:
        self._policy, self._marks = policy, marks

    async def locate(self, w: Work, locators: Sequence[str]) -> list[Found]:
        """Every customer with one of these."""
        return await found_by(w, locators, CustomerLocator.customer_id, CustomerLocator.locator)

    async def collect(self, w: Work, subject: str) -> list[Category]:
        """Everything held, with purpose, basis, retention and recipients. A reading like any other: it is told."""
        customer = await w.session.get(Customer, subject)
        if customer is None or customer.erased_at is not None:
            return []
        await w.unlock(subject)
        values = opened(w, customer)
        number = None if customer.number is None else w.open(Customer.number, subject, customer.number)
        groups: dict[tuple[str, str, str, str], dict[str, str]] = {}
        for name, rule in self._policy.fields.items():
            value = values[name]
            if value is not None:
                key = (rule.category, rule.purpose, rule.basis, rule.retention)
                groups.setdefault(key, {})[name] = value
        w.publish(
            RecordsViewed(
                subject=subject,
                subjects=[subject],
                fields=dict.fromkeys(
                    [name for name in FIELDS if values[name] is not None] + ["number"] * (number is not None), "clear"
                ),
                purpose="data-subject request",
                decision=["the person's own right (GDPR 15)"],
            )
        )
        found = [
            Category(
                name=category,
                purpose=purpose,
                basis=basis,
                retention=retention,
                recipients=of_category(category),
                records=[one],
            )
            for (category, purpose, basis, retention), one in groups.items()
        ]
        about = {"id": subject, "created": rfc3339(customer.created_at), "changed": rfc3339(customer.updated_at)}
        if number is not None:
            about["customer number"] = number
        account = Category(
            name="Record", purpose="keep the record", basis="GDPR 6(1)(b)", retention="as the fields above", records=[about]
        )
        return [*found, account, *await addresses.history(w, subject)]

    async def erase(self, w: Work, subject: str, request_id: str) -> Forgotten:
        """1. The record, locked: a correction under way finishes first or finds nobody. 2. Of number and address a mark stays,
        which nobody can make later. 3. The key. 4. Fields, indexes and locators. 5. The tombstone.

        One transaction; asked again, it answers again and there is nothing left to do."""
        query = select(Customer).where(Customer.id == subject).with_for_update()
        customer = (await w.session.scalars(query)).one_or_none()
        if customer is not None:
            await forgotten.remember(w, self._marks, customer)
        report = await w.shred(subject)
        if customer is None:
            return Forgotten(fields=0, key_version=report.version)
        fields = [name for name in (*FIELDS, "number") if getattr(customer, name) is not None]
        for name in fields:
            setattr(customer, name, None)
        changes = await addresses.erase(w, subject)
        customer.email_index = customer.phone_index = None
        customer.owner_id = customer.owner_number = customer.owner_locator = None
        customer.erased_at = customer.erased_at or w.now
        await w.session.execute(delete(UnusableValue).where(UnusableValue.customer_id == subject))
        await w.session.execute(delete(CustomerLocator).where(CustomerLocator.customer_id == subject))
        return Forgotten(fields=len(fields) + changes, key_version=report.version, kept=KEPT)
