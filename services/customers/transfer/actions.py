"""Import: one file, one transaction, so nothing of it is ever there by half.

1. One import at a time: of two at once the second finds what the first made. 2. Who will own the records, and may the actor
import for them. 3. Who is there already, who was forgotten, who is new. 4. What is there is compared and left as it is.
5. Who is new is made, and told of. Whatever a person should know of a row is a notice: row and column, never a value.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from services.customers.events import CustomerCreated, ImportCompleted, ciphertext
from services.customers.records.actions import blind_indexes, note_unusable, readable
from services.customers.records.model import found_by
from services.customers.records.tables import Customer, CustomerLocator, ForgottenLocator, StaffLocator, column
from services.customers.transfer.compare import Known, compared
from services.customers.transfer.model import OWNER, SUBJECT, File, Line, Place
from services.customers.transfer.notices import Notice, notice, refusal
from services.customers.wiring import Tools
from shared.access.decide import Resource
from shared.errors import InvalidInputError
from shared.ids import is_id
from shared.keys.cipher import Sealed
from shared.values.identifiers import Identifier, Kind, external
from shared.values.typed import number
from shared.work import Work

Locators = Sequence[tuple[Kind, str]]


@dataclass(frozen=True)
class Owner:
    """A representative: the locator that customers follow, and the user, once somebody on the staff has it."""

    locator: str
    user: str | None


@dataclass(frozen=True)
class New:
    """A line without a record, with all its locators; `was_forgotten`: those of them that a forgotten person left."""

    line: Line
    locators: Locators
    was_forgotten: Collection[str]


@dataclass(frozen=True)
class Imported:
    """What an import did, or would do."""

    import_id: str
    rows: int
    created: int
    already_there: int
    forgotten: int
    returned: int
    different: int
    unowned: int
    numbered: int
    notices: Sequence[Notice]


async def import_customers(
    w: Work, tools: Tools, file: File, *, returning: bool = False, unowned: bool = False, check: bool = False
) -> Imported:
    """Make the customers of `file` who are not there yet, and tell of each. Run again, it changes nothing.

    `returning`: who was forgotten is a customer again, and whoever says so answers for the new contract or consent. `unowned`:
    take in also whom nobody can see, because nobody on the staff is their representative. `check`: say all, make nobody."""
    await w.in_turn("import")  # 1
    owners = await _owners(w, tools, file)  # 2
    w.decide("import", Resource("Customers", "all", {"owners": sorted({one.user for one in owners.values() if one.user})}))
    there, missing = await _sorted(w, tools, file, owners)  # 3
    gone = [one for one in missing if one.was_forgotten and not returning]
    new = [one for one in missing if returning or not one.was_forgotten]
    nobodys = notice("unowned", [Place(one.line.row, [OWNER]) for one in new if owners[one.line.owner].user is None])
    if nobodys.count and not unowned and not check:
        raise InvalidInputError(refusal(nobodys), field=OWNER)
    seen = await compared(w, tools.policy, there)  # 4
    email = tools.policy.fields["email"].column
    found = [
        nobodys,
        notice("forgotten", [Place(one.line.row, []) for one in gone]),
        notice("different", seen.different),
        notice("shared_address", [Place(line.row, [email]) for line in await _sharing(w, new)]),
        notice("unusable", file.unusable),
        notice("spreadsheet_error", file.errors),
    ]
    done = Imported(
        import_id=w.new_id("imp"), rows=len(file.lines), created=len(new), already_there=len(there), forgotten=len(gone),
        returned=sum(bool(one.was_forgotten) for one in new), different=len(seen.different), unowned=nobodys.count,
        numbered=len(seen.without_number), notices=[one for one in found if one.count],
    )  # fmt: skip
    if not check:  # 5
        for customer, line in seen.without_number:
            customer.number = await w.seal(Customer.number, customer.id, line.number or "")
        await w.session.execute(
            delete(ForgottenLocator).where(ForgottenLocator.locator.in_([x for one in new for x in one.was_forgotten]))
        )
        await _create(w, tools, new, owners)
        _tell(w, done, file)
    return done


async def _owners(w: Work, tools: Tools, file: File) -> dict[str, Owner]:
    """The representative behind each cell: an employee's number, or a user's id as an export writes it."""
    said = sorted({line.owner for line in file.lines})
    numbers = [one for one in said if not is_id(one, "sub")]
    made = await tools.locate([("external", external("employee", number(one))) for one in numbers]) if numbers else []
    locators = dict(zip(numbers, made, strict=True))
    staff = select(StaffLocator.locator, StaffLocator.user_id)
    rows = (await w.session.execute(staff.where(StaffLocator.locator.in_(made) | StaffLocator.user_id.in_(said)))).all()
    user_of = {row.locator: row.user_id for row in rows}
    locator_of = {row.user_id: row.locator for row in rows}
    for line in file.lines:
        if line.owner not in locators and line.owner not in locator_of:
            raise InvalidInputError(f"row {line.row}, column {OWNER}: nobody on the staff has this id", field=OWNER)
    return {one: Owner(locators.get(one) or locator_of[one], user_of.get(locators.get(one) or locator_of[one])) for one in said}


async def _sorted(w: Work, tools: Tools, file: File, owners: dict[str, Owner]) -> tuple[list[Known], list[New]]:
    """Which lines have a record, and which have none."""
    numbered: list[Identifier] = [("external", external("customer", one)) for line in file.lines if (one := line.number)]
    made = iter(await tools.locate(numbered) if numbered else [])
    number_of = {line.row: next(made) for line in file.lines if line.number}
    by_number = await _records(w, list(number_of.values()))
    subjects = [line.subject for line in file.lines if line.subject]
    mine = set(
        (await w.session.scalars(readable(w.actor).where(Customer.id.in_(subjects)).with_only_columns(Customer.id))).all()
    )
    there: dict[str, Known] = {}
    missing: list[Line] = []
    for line in file.lines:
        numbers_, subjects_ = by_number.get(number_of.get(line.row, "")), line.subject if line.subject in mine else None
        if numbers_ and subjects_ and numbers_ != subjects_:
            raise InvalidInputError(f"row {line.row}: {SUBJECT} and number are of two different records", field=SUBJECT)
        record = numbers_ or subjects_
        if record is None:
            if line.number is None:
                raise InvalidInputError(f"row {line.row}: no number, and no record of yours has this {SUBJECT}", field=SUBJECT)
            missing.append(line)
        elif record in there:
            raise InvalidInputError(f"row {line.row}: the same record as row {there[record].line.row}", field=SUBJECT)
        else:
            there[record] = Known(line, record, owners[line.owner].user, by_number=numbers_ is not None)
    personal = await _personal(tools, missing)
    located: list[tuple[Line, Locators]] = [
        (line, [("external", number_of[line.row]), *more]) for line, more in zip(missing, personal, strict=True)
    ]
    every = [one for _, locators in located for _, one in locators]
    left = select(ForgottenLocator.locator).where(ForgottenLocator.locator.in_(every))
    forgotten = set((await w.session.scalars(left)).all())
    return list(there.values()), [New(line, some, [x for _, x in some if x in forgotten]) for line, some in located]


async def _records(w: Work, numbers: Sequence[str]) -> dict[str, str]:
    """Locator of a number -> the record's id."""
    query = select(CustomerLocator.locator, CustomerLocator.customer_id)
    found = await w.session.execute(query.where(CustomerLocator.kind == "external", CustomerLocator.locator.in_(numbers)))
    return {row.locator: row.customer_id for row in found.all()}


async def _personal(tools: Tools, lines: Sequence[Line]) -> list[list[tuple[Kind, str]]]:
    """(kind, locator) of e-mail and phone of every line, asked for in one go."""
    wanted = [(position, one) for position, line in enumerate(lines) for one in found_by(line.values)]
    made = await tools.locate([one for _, one in wanted]) if wanted else []
    found: list[list[tuple[Kind, str]]] = [[] for _ in lines]
    for (position, (kind, _)), locator in zip(wanted, made, strict=True):
        found[position].append((kind, locator))
    return found


async def _sharing(w: Work, new: Sequence[New]) -> list[Line]:
    """The lines whose address another line, or another record that the actor may see, has too."""
    addresses = [(one.line, locator) for one in new for kind, locator in one.locators if kind == "email"]
    counts: dict[str, int] = {}
    for _, locator in addresses:
        counts[locator] = counts.get(locator, 0) + 1
    theirs = CustomerLocator.customer_id.in_(readable(w.actor).with_only_columns(Customer.id))
    query = select(CustomerLocator.locator).where(CustomerLocator.locator.in_(counts), theirs)
    there = set((await w.session.scalars(query)).all())
    return [line for line, locator in addresses if counts[locator] > 1 or locator in there]


async def _create(w: Work, tools: Tools, new: Sequence[New], owners: dict[str, Owner]) -> None:
    ids = [w.new_id("sub") for _ in new]
    await w.keyring.create(w.session, ids)
    await w.keyring.prefetch(w.session, ids)
    for subject, one in zip(ids, new, strict=True):
        await _create_one(w, tools, subject, one, owners[one.line.owner].locator)


async def _create_one(w: Work, tools: Tools, subject: str, new: New, owner: str) -> None:
    sealed: dict[str, Sealed] = {}
    for name, value in new.line.values.items():
        if value is not None:
            sealed[name] = await w.seal(column(name), subject, value)
    email, phone = await blind_indexes(tools, found_by(new.line.values))
    w.session.add(
        Customer(
            id=subject, version=1, owner_locator=owner, created_at=w.now, updated_at=w.now,
            number=await w.seal(Customer.number, subject, new.line.number or ""),
            email_index=email, phone_index=phone, **sealed,
        )
    )  # fmt: skip
    await w.session.flush()
    await note_unusable(w, subject, new.line.values, tools.policy, fresh=True)
    w.session.add_all(CustomerLocator(locator=one, customer_id=subject, kind=kind) for kind, one in new.locators)
    w.publish(
        CustomerCreated(
            subject=subject,
            key_version=1,
            fields={name: ciphertext(one) for name, one in sealed.items()},
            locators=[one for _, one in new.locators],
        )
    )


def _tell(w: Work, done: Imported, file: File) -> None:
    w.publish(
        ImportCompleted(
            import_id=done.import_id, rows=done.rows, created=done.created, already_there=done.already_there,
            forgotten=done.forgotten, returned=done.returned, different=done.different, unowned=done.unowned,
            numbered=done.numbered, refused_columns=list(file.refused),
        )
    )  # fmt: skip
