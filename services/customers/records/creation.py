"""How a record begins: by hand, one at a time; an import makes many in the same way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.customers.base import Base
from services.customers.events import CustomerCreated
from services.customers.records import forgotten
from services.customers.records.actions import blind_indexes
from services.customers.records.looks import Record
from services.customers.records.model import Cleaned, clean_row, require_a_name, seen
from services.customers.records.ownership import Owner
from services.customers.tables import FIELDS, Customer, CustomerLocator, UnusableValue, column
from services.customers.wiring import Tools
from shared.access.decide import Resource
from shared.errors import ConflictError, InvalidInputError
from shared.keys.cipher import Sealed
from shared.keys.versions import Hashed
from shared.trips import Statement
from shared.values.identifiers import NORMAL_FORM, Kind
from shared.values.typed import Number
from shared.work import Work

_CUSTOMERS, _LOCATORS, _UNUSABLE = (
    Base.metadata.tables[one.__tablename__] for one in (Customer, CustomerLocator, UnusableValue)
)
_STAFF = "SELECT locator FROM staff_locators WHERE user_id = %(user)s LIMIT 1"
Locators = Sequence[tuple[Kind, str]]
FORGOTTEN = (
    "somebody with this e-mail address was forgotten and stays so; with returning=true you say that they are a customer again, "
    "and answer for the new contract or consent"
)


@dataclass(frozen=True)
class New:
    """Somebody without a record. `owner`: who looks after them; `locators`: of all that they are found by, under every live
    version; `returned`: they were forgotten, and are a customer again."""

    person: Cleaned
    owner: Owner
    number: Number | None
    locators: Locators
    returned: bool


async def create_customer(
    w: Work, tools: Tools, written: Mapping[str, str | None], owner: str | None, *, returning: bool = False
) -> Record:
    """A record of one's own, or of somebody (`owner`, a user's id) of one's reporting line.

    InvalidInputError names the field; ConflictError for whom was forgotten, unless the actor says that they are back."""
    owner = owner or w.actor.id
    w.decide("create", Resource("Customers", "all", {"owner": owner}))
    purpose = tools.policy.require_purpose(w.purpose)
    person = _cleaned(written, tools)
    hashed = await tools.hashed()
    located = dict(zip(person.known, await tools.locators.of(person.known), strict=True))
    asked = await forgotten.question(tools, located)
    gone, staff = await w.ask(asked.statement, Statement(_STAFF, {"user": owner}))
    if left := await asked.answered(w, gone):
        if not returning:
            raise ConflictError(FORGOTTEN)
        await forgotten.come_back(w, tools, {one: located[one] for one in left})
    locators = [(kind, one) for (kind, _), every in located.items() for one in every]
    if not staff:
        raise InvalidInputError("nobody on the staff has this id", field="owner")
    (created,) = await make(w, tools, hashed, [New(person, Owner(owner, [staff[0][0]]), None, locators, bool(left))])
    w.publish(created)
    return Record(created.subject or "", 1, owner, seen(person.values, tools.policy.sight(purpose)))


def _cleaned(written: Mapping[str, str | None], tools: Tools) -> Cleaned:
    """As an import cleans a row: every field of the policy, and none besides."""
    whole = dict.fromkeys(tools.policy.fields, "") | {name: value or "" for name, value in written.items()}
    person = clean_row(whole, tools.policy)
    require_a_name(person.values, tools.policy)
    return person


async def make(w: Work, tools: Tools, hashed: Hashed, people: Sequence[New]) -> list[CustomerCreated]:
    """Their records, in order, a few statements for all: keys, sealed values, what they are found by. `hashed`: of before their
    locators were made. Returns what tells of each; whoever calls this publishes it."""
    ids = [w.new_id("sub") for _ in people]
    await w.create_keys(ids)
    sealed = [_sealed(w, subject, one) for subject, one in zip(ids, people, strict=True)]
    rows = [
        await _row(w, tools, hashed, subject, one, fields) for subject, one, fields in zip(ids, people, sealed, strict=True)
    ]
    everyone = list(zip(ids, people, strict=True))
    places = [{"locator": one, "customer_id": subject, "kind": kind} for subject, new in everyone for kind, one in new.locators]
    unusable = [
        {"customer_id": subject, "field": note.field, "reason": note.reason}
        for subject, new in everyone for note in new.person.notes
    ]  # fmt: skip
    await w.store((_CUSTOMERS, rows), (_LOCATORS, places), (_UNUSABLE, unusable))
    return [
        CustomerCreated(
            subject=subject,
            key_version=1,
            fields=fields,
            locators=[one for _, one in new.locators],
            owner=new.owner.user,
            returned=new.returned,
        )
        for (subject, new), fields in zip(everyone, sealed, strict=True)
    ]


def _sealed(w: Work, subject: str, new: New) -> dict[str, Sealed]:
    return {name: w.seal(column(name), subject, value) for name, value in new.person.values.items() if value is not None}


async def _row(
    w: Work, tools: Tools, hashed: Hashed, subject: str, new: New, sealed: Mapping[str, Sealed]
) -> dict[str, object]:
    email, phone = await blind_indexes(tools, new.person.known)
    return {
        "id": subject, "version": 1, "owner_id": new.owner.user, "owner_locator": new.owner.locators[0], "created_at": w.now,
        "updated_at": w.now, "normal_form": NORMAL_FORM, "email_index": email, "phone_index": phone,
        "index_version": hashed.index, "locator_version": hashed.locators,
        "owner_number": None if new.owner.user else w.seal(Customer.owner_number, subject, new.owner.number),
        "number": w.seal(Customer.number, subject, new.number) if new.number else None,
        **{name: sealed.get(name) for name in FIELDS},
    }  # fmt: skip
