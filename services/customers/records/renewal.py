"""Records whose hashes were made of an older normal form, or under an older version of a key: made anew, a batch at a time; and
which stored values today's grammar refuses.

Old locators stay beside the new ones until the value changes or their version is trimmed: whoever computed one finds them.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, exists, func, or_, select

from services.customers.addresses.actions import waiting_emails
from services.customers.events import CustomerUpdated, RecordsViewed
from services.customers.records.actions import blind_indexes, note_unusable, opened
from services.customers.records.model import found_by, indexed
from services.customers.tables import FIELDS, Customer, CustomerLocator
from services.customers.wiring import Tools
from shared.trips import Statement
from shared.values.identifiers import NORMAL_FORM, Identifier, external
from shared.values.typed import Number
from shared.work import Work

# Records that came before the numbers were kept from which a locator is made: it can be made anew when their file comes again.
UNMADE = or_(
    and_(Customer.owner_id.is_(None), Customer.owner_locator.is_not(None), Customer.owner_number.is_(None)),
    and_(
        Customer.number.is_(None),
        exists().where(CustomerLocator.customer_id == Customer.id, CustomerLocator.kind == "external"),
    ),
)
HASHED = ("email", "phone", "country", "number")  # of which hashes are made
NEW_FORM = "hashes of another normal form (docs/formats/values.md); no person sees the values"
NEW_KEY = "hashes under another version of their key (docs/runbooks/rotation.md); no person sees the values"


_STORE = """
INSERT INTO customer_locators (locator, customer_id, kind)
SELECT * FROM unnest(%(locators)s::text[], %(subjects)s::text[], %(kinds)s::text[])
ON CONFLICT DO NOTHING RETURNING customer_id"""


async def renew(w: Work, tools: Tools, rows: Sequence[Customer]) -> None:
    """1. Each record is opened, which is told like every look. 2. Indexes and locators of what passes are of today's form and
    versions then; what does not pass is found by its old form. 3. Where the form is new, what does not pass is listed.
    4. Whose locators became more is told: others find them, too."""
    live = [one for one in rows if one.erased_at is None]
    if not live:
        return
    values = {one.id: opened(w, one) for one in live}  # 1
    another_form = [one for one in live if one.normal_form < NORMAL_FORM]
    _tell_of_the_look(w, [one.id for one in live], another_form=bool(another_form))
    known = {one: found_by(fields) for one, fields in values.items()}  # once: to read a number and an address takes long
    for customer in live:
        stored = values[customer.id], known[customer.id]
        every = indexed(*stored, email=bool(customer.email_index), phone=bool(customer.phone_index))
        email, phone = await blind_indexes(tools, every)  # 2
        customer.email_index = email or customer.email_index
        customer.phone_index = phone or customer.phone_index
    await _waiting(w, tools, live)
    since = 0 if another_form else 1 + min(one.locator_version for one in live)
    more = await _locators(w, tools, await _proven(w, live, values, known), since)
    for customer in another_form:
        await note_unusable(w, customer.id, values[customer.id], tools.policy)  # 3
    await _tell(w, [one for one in live if one.id in more])  # 4


async def _proven(
    w: Work,
    live: Sequence[Customer],
    values: Mapping[str, Mapping[str, str | None]],
    known: Mapping[str, Sequence[Identifier]],
) -> dict[str, list[Identifier]]:
    """By what others find each. A changed address that nobody proved finds the record for the staff, and leads nobody to the
    person (addresses/)."""
    waiting = await waiting_emails(w, [one.id for one in live])
    found: dict[str, list[Identifier]] = {}
    for one in live:
        found[one.id] = [*known[one.id]]
        if one.id in waiting:
            found[one.id] = found_by({**values[one.id], "email": waiting[one.id]})
        if one.number is not None:
            number = Number(w.open(Customer.number, one.id, one.number))
            found[one.id].append(("external", external("customer", number)))
    return found


async def _waiting(w: Work, tools: Tools, live: Sequence[Customer]) -> None:
    """Who waits for a representative waits by the newest locator of their number."""
    unowned = [(one, one.owner_number) for one in live if one.owner_id is None and one.owner_number is not None]
    numbers = [Number(w.open(Customer.owner_number, one.id, sealed)) for one, sealed in unowned]
    made = await tools.locators.of([("external", external("employee", number)) for number in numbers])
    for (customer, _), every in zip(unowned, made, strict=True):
        customer.owner_locator = every[0]


async def _locators(w: Work, tools: Tools, known: Mapping[str, list[Identifier]], since: int) -> set[str]:
    """Make the locators of all, of key versions not before `since`; whose became more."""
    pairs = [(subject, one) for subject, found in known.items() for one in found]
    made = await tools.locators.of([one for _, one in pairs], since)
    rows = [(one, subject, kind) for (subject, (kind, _)), every in zip(pairs, made, strict=True) for one in every]
    locators, subjects, kinds = ([row[place] for row in rows] for place in range(3))
    ((*new,),) = await w.ask(Statement(_STORE, {"locators": locators, "subjects": subjects, "kinds": kinds}))
    return {subject for (subject,) in new}


async def _tell(w: Work, customers: Sequence[Customer]) -> None:
    ids = [one.id for one in customers]
    mine = select(CustomerLocator.customer_id, func.array_agg(CustomerLocator.locator))
    query = mine.where(CustomerLocator.customer_id.in_(ids)).group_by(CustomerLocator.customer_id)
    locators = {subject: sorted(every) for subject, every in (await w.session.execute(query)).all()} if ids else {}
    for customer in customers:
        customer.version += 1
        w.publish(
            CustomerUpdated(
                subject=customer.id, key_version=1, version=customer.version, fields={}, locators=locators[customer.id]
            )
        )


def _tell_of_the_look(w: Work, subjects: list[str], *, another_form: bool) -> None:
    w.publish(
        RecordsViewed(
            subject=subjects[0] if len(subjects) == 1 else None,
            subjects=subjects,
            fields=dict.fromkeys(FIELDS if another_form else HASHED, "clear"),
            purpose="upkeep",
            decision=[NEW_FORM if another_form else NEW_KEY],
        )
    )
