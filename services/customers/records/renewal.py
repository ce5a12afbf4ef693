"""Records whose hashes were made of an older normal form: made anew; and which stored values today's grammar refuses.

Old locators stay beside the new ones until the value changes or the locator key rotates: whoever computed one finds the person.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.customers.addresses.actions import proven_email
from services.customers.events import CustomerUpdated, RecordsViewed
from services.customers.records.actions import FIELDS, blind_indexes, note_unusable, opened
from services.customers.records.model import found_by
from services.customers.records.tables import Customer, CustomerLocator
from services.customers.wiring import Tools
from shared.values.identifiers import Identifier
from shared.work import Work


async def renew(w: Work, tools: Tools, rows: Sequence[Customer]) -> None:
    """1. Each record is opened, which is told like every look. 2. Indexes and locators of what passes are of today's form then;
    what does not pass stays as it is. 3. It is listed. 4. Whose locators became more is told: audit finds them, too."""
    live = [one for one in rows if one.erased_at is None]
    if not live:
        return
    values = {one.id: await opened(w, one) for one in live}  # 1
    _tell_of_the_look(w, [one.id for one in live])
    known = {subject: found_by(one) for subject, one in values.items()}
    # A changed address that nobody proved finds the record for the staff, and leads nobody to the person (addresses/).
    proven = {
        one.id: found_by({**values[one.id], "email": await proven_email(w, one, values[one.id]["email"])}) for one in live
    }
    new = await _locators(w, tools, proven)
    for customer in live:
        email, phone = await blind_indexes(tools, known[customer.id])  # 2
        customer.email_index = email or customer.email_index
        customer.phone_index = phone or customer.phone_index
        await note_unusable(w, customer.id, values[customer.id], tools.policy)  # 3
        if customer.id in new:
            await _tell(w, customer)  # 4


async def _locators(w: Work, tools: Tools, known: Mapping[str, list[Identifier]]) -> set[str]:
    """Make the locators of all; whose became more."""
    pairs = [(subject, one) for subject, found in known.items() for one in found]
    made = await tools.locate([one for _, one in pairs]) if pairs else []
    more: set[str] = set()
    for (subject, (kind, _)), locator in zip(pairs, made, strict=True):
        row = insert(CustomerLocator).values(locator=locator, customer_id=subject, kind=kind).on_conflict_do_nothing()
        if (await w.session.execute(row.returning(CustomerLocator.locator))).first() is not None:
            more.add(subject)
    return more


async def _tell(w: Work, customer: Customer) -> None:
    customer.version += 1
    mine = select(CustomerLocator.locator).where(CustomerLocator.customer_id == customer.id)
    w.publish(
        CustomerUpdated(
            subject=customer.id,
            key_version=1,
            version=customer.version,
            fields={},
            locators=sorted((await w.session.scalars(mine)).all()),
        )
    )


def _tell_of_the_look(w: Work, subjects: list[str]) -> None:
    w.publish(
        RecordsViewed(
            subject=subjects[0] if len(subjects) == 1 else None,
            subjects=subjects,
            fields=dict.fromkeys(FIELDS, "clear"),
            purpose="upkeep",
            decision=["hashes of another normal form (docs/formats/values.md); no person sees the values"],
        )
    )
