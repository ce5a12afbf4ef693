"""What can be done with records: look, search, correct; and who the staff is.

Reading is always through `readable(actor)`, which knows who asks; a plain `select(Customer)` is for jobs without a reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from services.customers.addresses import actions as addresses
from services.customers.events import CustomerUpdated, RecordsViewed, UserCreated, ciphertext
from services.customers.policy.model import SEARCHED, FieldPolicy
from services.customers.records.model import Shown, changed, found_by, require_a_name, seen, unusable
from services.customers.records.tables import Customer, CustomerLocator, StaffLocator, UnusableValue, column
from services.customers.wiring import Tools
from shared.access.actor import Actor
from shared.access.decide import Resource
from shared.errors import InvalidInputError
from shared.etag import Condition
from shared.keys.cipher import Sealed, key_version
from shared.paging import cut
from shared.values import legacy
from shared.values.identifiers import Identifier
from shared.values.mailbox import mailbox
from shared.values.phone import phone
from shared.work import Work

Row = tuple[Customer, str]  # the customer and the owner's id


@dataclass(frozen=True)
class Record:
    """A customer as the actor sees it for the purpose."""

    id: str
    version: int
    owner: str
    updated_at: datetime
    fields: Mapping[str, Shown]
    address_change: str | None = None  # the e-mail address proves nothing yet; told where one record is looked at


def readable(actor: Actor) -> Select[Customer, str]:
    """The customers that `actor` may know of: those owned by someone in the actor's reporting line."""
    return (
        select(Customer, StaffLocator.user_id)
        .join(StaffLocator, StaffLocator.locator == Customer.owner_locator)
        .where(Customer.erased_at.is_(None), StaffLocator.user_id.in_(actor.team))
    )


async def list_customers(
    w: Work, tools: Tools, *, after: str = "", limit: int, search: Mapping[str, str] | None = None
) -> tuple[list[Record], str | None]:
    """One page of records, oldest first, and the cursor of the next. One look, one event, also when nobody is found."""
    w.decide("look", Resource("Customers", "all"))
    query = readable(w.actor).where(Customer.id > after).order_by(Customer.id).limit(limit + 1)
    for name, value in (search or {}).items():
        query = query.where(await _searched(name, value, tools))
    page, more = cut([(row[0], row[1]) for row in (await w.session.execute(query)).all()], limit)
    found = await _look(w, tools.policy, page, searched=list(search or {}))
    return found, page[-1][0].id if more else None


async def view_customer(w: Work, tools: Tools, customer_id: str) -> Record:
    """One record. NotFoundError for one that is not there and for one that the actor may not know of, alike."""
    w.decide("look", Resource("Customers", "all"), subject=customer_id)
    row = (await w.session.execute(readable(w.actor).where(Customer.id == customer_id))).first()
    if row is None:
        raise w.unknown("view", Resource("Customer", customer_id))
    return await _one(w, tools, (row[0], row[1]))


async def update_customer(
    w: Work, tools: Tools, customer_id: str, condition: Condition, changes: Mapping[str, str | None]
) -> Record:
    """Correct fields of one record. Nothing changes and nothing is published where all is as it was."""
    w.decide("look", Resource("Customers", "all"), subject=customer_id)
    query = readable(w.actor).where(Customer.id == customer_id).with_for_update(of=Customer)
    row = (await w.session.execute(query)).first()
    if row is None:
        raise w.unknown("update", Resource("Customer", customer_id))
    customer, owner = row[0], row[1]
    w.decide("update", Resource("Customer", customer.id, {"owner": owner}))
    condition.require(customer.version)
    values = await opened(w, customer)
    new = changed(values, changes, tools.policy.require_purpose(w.purpose), tools.policy)
    if new:
        if {"first_name", "last_name"} & set(new):
            require_a_name({**values, **new}, tools.policy)
        sealed = {name: await w.seal(column(name), customer.id, value) if value else None for name, value in new.items()}
        for name, cipher in sealed.items():
            setattr(customer, name, cipher)
        kinds = {name for name in SEARCHED if name in new} | ({"phone"} if "country" in new else set())
        moved = await _reindex(w, tools, customer, {**values, **new}, kinds) if kinds else None
        await note_unusable(w, customer.id, {**values, **new}, tools.policy)
        customer.version += 1
        customer.updated_at = w.now
        w.publish(
            CustomerUpdated(
                subject=customer.id,
                key_version=max((key_version(one) for one in sealed.values() if one), default=1),
                version=customer.version,
                fields={name: ciphertext(one) if one else None for name, one in sealed.items()},
                locators=moved,
            )
        )
        if "email" in new:
            await addresses.begin(w, tools, customer, values["email"], new["email"])
    return await _one(w, tools, (customer, owner))


async def _one(w: Work, tools: Tools, row: Row) -> Record:
    (found,) = await _look(w, tools.policy, [row])
    return replace(found, address_change=await addresses.waiting_id(w, found.id))


async def _look(w: Work, policy: FieldPolicy, rows: Sequence[Row], *, searched: Sequence[str] = ()) -> list[Record]:
    """Open what the purpose sees, and tell of the look. Values leave only after the event has committed with it (P7)."""
    purpose = policy.require_purpose(w.purpose)
    for owner, customer in {owner: customer for customer, owner in rows}.items():
        w.decide("view", Resource("Customer", customer.id, {"owner": owner}))
    await w.keyring.prefetch(w.session, [customer.id for customer, _ in rows])
    levels = policy.levels(purpose)
    wanted = [name for name, level in levels.items() if level != "hidden"]
    found = [
        Record(c.id, c.version, owner, c.updated_at, seen(await opened(w, c, wanted), purpose, policy)) for c, owner in rows
    ]
    w.publish(
        RecordsViewed(
            subject=rows[0][0].id if len(rows) == 1 else None,
            subjects=[customer.id for customer, _ in rows],
            fields=dict(levels),
            purpose=purpose,
            decision=list(w.policy_ids),
            searched=list(searched),
        )
    )
    return found


async def opened(w: Work, customer: Customer, names: Sequence[str] = ()) -> dict[str, str | None]:
    """The fields of a record in clear (all, or `names`). Whoever calls this tells of it."""
    found: dict[str, str | None] = {}
    for name in names or FIELDS:
        sealed: Sealed | None = getattr(customer, name)
        found[name] = None if sealed is None else await w.open(column(name), customer.id, sealed)
    return found


FIELDS = ("first_name", "last_name", "email", "phone", "address", "city", "state", "country", "postal_code")


async def _searched(name: str, value: str, tools: Tools) -> ColumnElement[bool]:
    """In every form that it may be stored in, once it is one that may be asked for."""
    if name == "email":
        mailbox(value)
        return Customer.email_index.in_([await tools.blind.of("email", one) for one in legacy.mailboxes(value)])
    if name == "phone":
        phone(value)
        return Customer.phone_index.in_([await tools.blind.of("phone", one) for one in legacy.phones(value)])
    raise InvalidInputError("can't be searched", field=name)


async def _reindex(w: Work, tools: Tools, customer: Customer, values: Mapping[str, str | None], kinds: set[str]) -> list[str]:
    """Blind indexes and locators of `kinds` after an identifier changed; returns all locators that hold now. By a new address
    the staff finds the record at once, but it proves nothing yet: the locator of the one before stays (addresses/)."""
    known = [one for one in found_by(values) if one[0] in kinds]
    email, phone_ = await blind_indexes(tools, known)
    if "email" in kinds:
        customer.email_index = email
    if "phone" in kinds:
        customer.phone_index = phone_
    mine = CustomerLocator.customer_id == customer.id
    await w.session.execute(delete(CustomerLocator).where(mine, CustomerLocator.kind.in_(kinds - {"email"})))
    proven = [one for one in known if one[0] != "email"]
    for (kind, _), locator in zip(proven, await tools.locate(proven) if proven else [], strict=True):
        w.session.add(CustomerLocator(locator=locator, customer_id=customer.id, kind=kind))
    await w.session.flush()
    return sorted((await w.session.scalars(select(CustomerLocator.locator).where(mine))).all())


async def blind_indexes(tools: Tools, known: Sequence[Identifier]) -> tuple[bytes | None, bytes | None]:
    """(email_index, phone_index) of a record that is found by `known`."""
    email = phone = None
    for one in known:
        if one[0] == "email":
            email = await tools.blind.of("email", one[1])
        elif one[0] == "phone":
            phone = await tools.blind.of("phone", one[1])
    return email, phone


async def note_unusable(
    w: Work, subject: str, values: Mapping[str, str | None], policy: FieldPolicy, *, fresh: bool = False
) -> None:
    """Which of all these values of a record the grammar refuses or nobody can use, in the place of what was known (nothing
    where the record is `fresh`)."""
    if not fresh:
        await w.session.execute(delete(UnusableValue).where(UnusableValue.customer_id == subject))
    w.session.add_all(
        UnusableValue(customer_id=subject, field=one.field, reason=one.reason) for one in unusable(values, policy)
    )


async def list_unusable(w: Work, *, after: tuple[str, str] = ("", ""), limit: int) -> tuple[list[UnusableValue], bool]:
    """One page of the unusable values of the records that the actor may know of; whether there are more. No value is read."""
    w.decide("look", Resource("Customers", "all"))
    mine = readable(w.actor).with_only_columns(Customer.id)
    query = (
        select(UnusableValue)
        .where(UnusableValue.customer_id.in_(mine), tuple_(UnusableValue.customer_id, UnusableValue.field) > after)
        .order_by(UnusableValue.customer_id, UnusableValue.field)
        .limit(limit + 1)
    )
    page, more = cut((await w.session.scalars(query)).all(), limit)
    return list(page), more


async def note_user(w: Work, event: UserCreated) -> None:
    """Remember under which locators identity knows a user: customers follow their representative through it."""
    if event.subject is None:
        return
    for locator in event.locators:
        known = insert(StaffLocator).values(locator=locator, user_id=event.subject)
        await w.session.execute(
            known.on_conflict_do_update(index_elements=[StaffLocator.locator], set_={"user_id": event.subject})
        )
