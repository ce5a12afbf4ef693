"""What can be done with records besides looking (looks.py) and making (creation.py): correct them; see what is of no use."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ARRAY, Text, bindparam, delete, exists, select, tuple_

from services.customers.addresses import actions as addresses
from services.customers.base import TABLES, Base
from services.customers.events import CustomerUpdated, RecordsViewed
from services.customers.policy.model import SEARCHED, FieldPolicy
from services.customers.records.looks import Record
from services.customers.records.model import changed, found_by, require_a_name, seen, unusable
from services.customers.records.opened import Corrected, Opened
from services.customers.records.rows import KEYED, KEYS, readable, visible
from services.customers.tables import FIELDS, Customer, CustomerLocator, UnusableValue, column
from services.customers.wiring import Tools
from shared import storing
from shared.access.decide import Resource
from shared.etag import Condition
from shared.keys.cipher import key_version
from shared.keys.keyring import WrappedKey
from shared.paging import cut
from shared.trips import Query
from shared.values.identifiers import Identifier
from shared.work import Work

TABLE = Base.metadata.tables[Customer.__tablename__]
_READ = Query(  # what a correction compares, under the row's lock; and what hangs on it, with the row and not after it
    select(
        Customer.version, Customer.owner_id, Customer.index_version, Customer.locator_version,
        KEYS.version.label("key_version"), KEYS.wrapped, addresses.WAITING_ID,
        exists().where(UnusableValue.customer_id == Customer.id), *(column(name) for name in FIELDS),
    )
    .join(TABLES.data_keys, KEYED)
    .where(visible(bindparam("team", type_=ARRAY(Text))), Customer.id == bindparam("id", type_=Text))
    .with_for_update(of=Customer)
)  # fmt: skip


async def update_customer(
    w: Work, tools: Tools, customer_id: str, condition: Condition, changes: Mapping[str, str | None]
) -> Record:
    """Correct fields of one record. Nothing changes and nothing is published where all is as it was."""
    w.decide("look", Resource("Customers", "all"), subject=customer_id)
    (found,) = await w.ask(_READ.asking(team=sorted(w.actor.team), id=customer_id))
    if not found:
        raise w.unknown("update", Resource("Customer", customer_id))
    version, owner, index, locator, of_key, key, waiting, has_unusable, *fields = found[0]
    stored = {**dict(zip(FIELDS, fields, strict=True)), "index_version": index, "locator_version": locator}
    customer = Customer(id=customer_id, version=version, owner_id=owner, **stored)  # of no session: a statement changes it
    w.decide("update", Resource("Customer", customer.id, {"owner": customer.owner_id or ""}))
    condition.require(customer.version)
    await w.unlock(wrapped={customer.id: WrappedKey(of_key, key)})
    values = opened(w, customer)
    new = changed(values, changes, tools.policy.require_purpose(w.purpose), tools.policy)
    corrected = Corrected(values, new)
    if new:
        if {"first_name", "last_name"} & set(new):
            require_a_name(corrected, tools.policy)
        sealed = {name: w.seal(column(name), customer.id, value) if value else None for name, value in new.items()}
        for name, cipher in sealed.items():
            setattr(customer, name, cipher)
        kinds = {name for name in SEARCHED if name in new} | ({"phone"} if "country" in new else set())
        moved = await _reindex(w, tools, customer, corrected, kinds) if kinds else None
        await note_unusable(w, customer.id, corrected, tools.policy, {*new, *kinds}, fresh=not has_unusable)
        customer.version += 1
        hashes = (*(f"{kind}_index" for kind in kinds), "index_version", "locator_version") if kinds else ()
        indexes = {name: getattr(customer, name) for name in hashes}
        beside = {"version": customer.version, "updated_at": w.now}
        w.finally_(storing.change(TABLE, {"id": customer.id}, {**sealed, **indexes, **beside}))
        w.publish(
            CustomerUpdated(
                subject=customer.id,
                key_version=max((key_version(one) for one in sealed.values() if one), default=1),
                version=customer.version,
                fields=sealed,
                locators=moved,
            )
        )
        if "email" in new:
            await addresses.begin(w, tools, customer, values["email"], new["email"])
            waiting = await addresses.waiting_id(w, customer.id)
    return _shown(w, tools, customer, waiting)


def _shown(w: Work, tools: Tools, customer: Customer, change: str | None) -> Record:
    """The record as it is now, and the event that tells that it was shown (P7)."""
    sight = tools.policy.sight(tools.policy.require_purpose(w.purpose))
    w.publish(
        RecordsViewed(
            subject=customer.id,
            subjects=[customer.id],
            fields=sight.levels,
            purpose=tools.policy.require_purpose(w.purpose),
            decision=[*w.policy_ids],
        )
    )
    return Record(
        customer.id, customer.version, customer.owner_id or "", seen(opened(w, customer, sight.opened), sight), change
    )


def opened(w: Work, customer: Customer, names: Sequence[str] = ()) -> Opened:
    """The fields of a record in clear (all, or `names`), who is unlocked: each opens when it is looked at. Whoever calls this
    tells of it."""
    return Opened(w, customer, names or FIELDS)


async def _reindex(w: Work, tools: Tools, customer: Customer, values: Mapping[str, str | None], kinds: set[str]) -> list[str]:
    """Blind indexes and locators of `kinds` after an identifier changed; returns all locators that hold now. By a new address
    the staff finds the record at once, but it proves nothing yet: the locator of the one before stays (addresses/)."""
    hashed = await tools.hashed()
    known = [one for one in found_by(values) if one[0] in kinds]
    email, phone_ = await blind_indexes(tools, known)
    if "email" in kinds:
        customer.email_index = email
    if "phone" in kinds:
        customer.phone_index = phone_
    mine = CustomerLocator.customer_id == customer.id
    await w.session.execute(delete(CustomerLocator).where(mine, CustomerLocator.kind.in_(kinds - {"email"})))
    proven = [one for one in known if one[0] != "email"]
    for (kind, _), every in zip(proven, await tools.locators.of(proven), strict=True):
        w.session.add_all(CustomerLocator(locator=one, customer_id=customer.id, kind=kind) for one in every)
    customer.rehashed(hashed)
    await w.session.flush()
    return sorted((await w.session.scalars(select(CustomerLocator.locator).where(mine))).all())


async def blind_indexes(tools: Tools, known: Sequence[Identifier]) -> tuple[bytes | None, bytes | None]:
    """(email_index, phone_index) of a record that is found by `known`."""
    email = phone = None
    for one in known:
        if one[0] == "email":
            email = (await tools.blind.of("email", one[1])).value
        elif one[0] == "phone":
            phone = (await tools.blind.of("phone", one[1])).value
    return email, phone


async def note_unusable(
    w: Work,
    subject: str,
    values: Mapping[str, str | None],
    policy: FieldPolicy,
    names: Collection[str] = FIELDS,
    *,
    fresh: bool = False,
) -> None:
    """Which of these values of a record (of `names`) the grammar refuses or nobody can use, in the place of what was known
    (nothing where the record is `fresh`)."""
    if not fresh:
        known = UnusableValue.customer_id == subject, UnusableValue.field.in_(names)
        await w.session.execute(delete(UnusableValue).where(*known))
    w.session.add_all(
        UnusableValue(customer_id=subject, field=one.field, reason=one.reason) for one in unusable(values, policy, names)
    )


async def unusable_of(w: Work, subject: str) -> Sequence[UnusableValue]:
    """What of one record, which the actor has been shown, can't be used, and why. No value is read."""
    mine = select(UnusableValue).where(UnusableValue.customer_id == subject).order_by(UnusableValue.field)
    return (await w.session.scalars(mine)).all()


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
