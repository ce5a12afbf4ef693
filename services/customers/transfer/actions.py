"""Import: one file, one transaction, so nothing of it is ever there by half; a part of it at a time, so that a large one takes
no more memory than a small one.

1. One import at a time: of two at once the second finds what the first made. Then, part by part: 2. Who will own the records,
and may the actor import for them. 3. Who is there already, who was forgotten, who is new. 4. What is there is compared and left
as it is. 5. Who is new is made, and told of. 6. At the end: the whole is told. Whatever a person should know of a row is a
notice: row and column, never a value.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from sqlalchemy import select

from services.customers.events import ImportCompleted
from services.customers.records import forgotten
from services.customers.records.creation import Locators, New, make
from services.customers.records.ownership import UNOWNED, Owner
from services.customers.records.rows import among, readable
from services.customers.tables import Customer, CustomerLocator, StaffLocator
from services.customers.transfer.compare import Known, compared
from services.customers.transfer.model import OWNER, SUBJECT, File, Line, Places
from services.customers.transfer.notices import Notice, notice, refusal
from services.customers.wiring import Tools
from shared.access.decide import Resource
from shared.errors import InvalidInputError
from shared.ids import is_id
from shared.keys.versions import Hashed
from shared.values.identifiers import Identifier, external
from shared.values.typed import number
from shared.work import Work

LINES = 1_000  # read and taken in at a time; a few megabytes
PART = 250  # people who are made at once: some 50 ms, in which the process answers nobody


@dataclass(frozen=True)
class Missing:
    """A line without a record, with all its locators; `was_forgotten`: those of them that a forgotten person left, by what they
    are made of."""

    line: Line
    locators: Locators
    was_forgotten: Mapping[Identifier, Sequence[str]]


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


@dataclass(frozen=True)
class Wish:
    """`returning`: who was forgotten is a customer again, and whoever says so answers for the new contract or consent.
    `unowned`: take in also whom nobody can see, because nobody on the staff is their representative. `check`: say all, make
    nobody."""

    returning: bool = False
    unowned: bool = False
    check: bool = False


@dataclass
class Tally:
    """What is known of the parts that were taken, as far as the next ones or the answer need it."""

    owners: dict[str, Owner] = field(default_factory=dict)  # by what the file calls them
    records: dict[str, int] = field(default_factory=dict)  # who is there -> their row
    addresses: dict[str, int] = field(default_factory=dict)  # locator -> the first row that has it
    sharing: set[int] = field(default_factory=set)
    back: dict[Identifier, Sequence[str]] = field(default_factory=dict)  # of forgotten people who are customers again
    created: int = 0
    returned: int = 0
    numbered: int = 0
    unowned: Places = field(default_factory=Places)
    forgotten: Places = field(default_factory=Places)
    different: Places = field(default_factory=Places)


async def import_customers(w: Work, tools: Tools, file: File, wish: Wish) -> Imported:
    """Make the customers of `file` who are not there yet, and tell of each. Run again, it changes nothing."""
    may_import(w, [])  # before anybody waits for anything
    await w.in_turn("import")  # 1
    tally, hashed = Tally(), await tools.hashed()
    async with aclosing(_parts(file)) as parts:
        async for part in parts:
            await _take(w, tools, hashed, part, wish, tally)
    if tally.unowned.count and not wish.unowned and not wish.check:
        raise InvalidInputError(refusal(notice("unowned", tally.unowned)), field=OWNER)
    done = _done(w, tools, file, tally)
    if not wish.check:  # 6
        await forgotten.come_back(w, tools, tally.back)
        _tell(w, done, file)
    return done


async def _parts(file: File) -> AsyncGenerator[list[Line], None]:
    """Seconds of work for the largest file: in a thread, never where everybody else is answered; the next part while one is
    taken in."""
    reading = asyncio.create_task(asyncio.to_thread(file.part, LINES))
    try:
        while part := await reading:
            reading = asyncio.create_task(asyncio.to_thread(file.part, LINES))
            yield part
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)  # what it found is of a part that nobody takes any more


async def _take(w: Work, tools: Tools, hashed: Hashed, part: Sequence[Line], wish: Wish, tally: Tally) -> None:
    await _owners(w, tools, part, tally)  # 2
    there, missing = await _sorted(w, tools, part, tally)  # 3
    new = [one for one in missing if wish.returning or not one.was_forgotten]
    for one in missing:
        if one.was_forgotten and not wish.returning:
            tally.forgotten.add(one.line.row)
    for one in new:
        if tally.owners[one.line.owner].user is None:
            tally.unowned.add(one.line.row, [OWNER])
        tally.returned += bool(one.was_forgotten)
        tally.back |= one.was_forgotten
    tally.created += len(new)
    seen = await compared(w, tools.policy, there)  # 4
    for place in seen.different:
        tally.different.add(place.row, place.columns)
    tally.numbered += len(seen.without_number)
    await _note_sharing(w, new, tally)
    if not wish.check and (wish.unowned or not tally.unowned.count):  # 5
        await _number(w, {customer.id: line for customer, line in seen.without_number})
        await _number_unowned(w, there, tally.owners)
        await _create(w, tools, hashed, new, tally.owners)
    w.lock(*(one.id for one in there))


def _done(w: Work, tools: Tools, file: File, tally: Tally) -> Imported:
    email, sharing = tools.policy.fields["email"].column, Places()
    for row in sorted(tally.sharing):
        sharing.add(row, [email])
    notices = [
        notice("unowned", tally.unowned),
        notice("forgotten", tally.forgotten),
        notice("different", tally.different),
        notice("shared_address", sharing),
        notice("unusable", file.unusable),
        notice("spreadsheet_error", file.errors),
    ]
    return Imported(
        import_id=w.new_id("imp"), rows=file.rows, created=tally.created, already_there=len(tally.records),
        forgotten=tally.forgotten.count, returned=tally.returned, different=tally.different.count,
        unowned=tally.unowned.count, numbered=tally.numbered, notices=[one for one in notices if one.count],
    )  # fmt: skip


def may_import(w: Work, owners: Iterable[str]) -> None:
    """Whether the actor may import for these users; for none of them: whether they may import at all. NotAllowedError."""
    w.decide("import", Resource("Customers", "all", {"owners": sorted(owners)}))


async def _owners(w: Work, tools: Tools, part: Sequence[Line], tally: Tally) -> None:
    """The representative behind each cell: an employee's number, or a user's id as an export writes it."""
    said = sorted({line.owner for line in part} - tally.owners.keys())
    numbers = [one for one in said if not is_id(one, "sub")]
    made = await tools.locators.of([("external", external("employee", number(one))) for one in numbers])
    locators = dict(zip(numbers, made, strict=True))
    every = [one for some in made for one in some]
    staff = select(StaffLocator.locator, StaffLocator.user_id)
    found = staff.where(StaffLocator.locator.in_(every) | StaffLocator.user_id.in_(said))
    rows = (await w.session.execute(found)).all() if said else []
    user_of = {row.locator: row.user_id for row in rows}
    known = {
        typed: Owner(next((user_of[one] for one in some if one in user_of), None), some, typed)
        for typed, some in locators.items()
    }
    known |= {row.user_id: Owner(row.user_id, [row.locator]) for row in rows if row.user_id in said}
    for line in part:
        if line.owner not in known and line.owner not in tally.owners:
            raise InvalidInputError(f"row {line.row}, column {OWNER}: nobody on the staff has this id", field=OWNER)
    may_import(w, {one.user for one in known.values() if one.user})
    tally.owners |= known


async def _sorted(w: Work, tools: Tools, part: Sequence[Line], tally: Tally) -> tuple[list[Known], list[Missing]]:
    """Which lines have a record, and which have none."""
    numbered: list[Identifier] = [("external", external("customer", one)) for line in part if (one := line.number)]
    made = iter(await tools.locators.of(numbered))
    number_of = {line.row: next(made) for line in part if line.number}
    by_number = await _records(w, [one for some in number_of.values() for one in some])
    subjects = [line.subject for line in part if line.subject]
    query = readable(w.actor).where(among(Customer.id, subjects)).with_only_columns(Customer.id)
    mine = set((await w.session.scalars(query)).all()) if subjects else set()
    there: list[Known] = []
    missing: list[Line] = []
    for line in part:
        numbers_ = next((by_number[one] for one in number_of.get(line.row, ()) if one in by_number), None)
        subjects_ = line.subject if line.subject in mine else None
        if numbers_ and subjects_ and numbers_ != subjects_:
            raise InvalidInputError(f"row {line.row}: {SUBJECT} and number are of two different records", field=SUBJECT)
        record = numbers_ or subjects_
        if record is None:
            if line.number is None:
                raise InvalidInputError(f"row {line.row}: no number, and no record of yours has this {SUBJECT}", field=SUBJECT)
            missing.append(line)
        elif (first := tally.records.setdefault(record, line.row)) != line.row:
            raise InvalidInputError(f"row {line.row}: the same record as row {first}", field=SUBJECT)
        else:
            there.append(Known(line, record, tally.owners[line.owner].user, by_number=numbers_ is not None))
    return there, await _missing(w, tools, missing, number_of)


async def _missing(w: Work, tools: Tools, lines: Sequence[Line], number_of: Mapping[int, Sequence[str]]) -> list[Missing]:
    """These lines with all their locators, and which of them a forgotten person left."""
    personal = await _personal(tools, lines)
    located: list[tuple[Line, dict[Identifier, Sequence[str]]]] = [
        (line, {("external", external("customer", line.number or number(""))): number_of[line.row], **more})
        for line, more in zip(lines, personal, strict=True)
    ]
    left = await forgotten.left(w, tools, {one: every for _, some in located for one, every in some.items()})
    return [
        Missing(
            line,
            [(kind, locator) for (kind, _), every in some.items() for locator in every],
            {one: some[one] for one in some.keys() & left},
        )
        for line, some in located
    ]


async def _records(w: Work, numbers: Sequence[str]) -> dict[str, str]:
    """Locator of a number -> the record's id."""
    if not numbers:
        return {}
    query = select(CustomerLocator.locator, CustomerLocator.customer_id)
    found = await w.session.execute(query.where(CustomerLocator.kind == "external", among(CustomerLocator.locator, numbers)))
    return {row.locator: row.customer_id for row in found.all()}


async def _personal(tools: Tools, lines: Sequence[Line]) -> list[dict[Identifier, Sequence[str]]]:
    """E-mail and phone of every line with their locators, asked for in one go."""
    wanted = [(position, one) for position, line in enumerate(lines) for one in line.person.known]
    made = await tools.locators.of([one for _, one in wanted])
    found: list[dict[Identifier, Sequence[str]]] = [{} for _ in lines]
    for (position, one), every in zip(wanted, made, strict=True):
        found[position][one] = every
    return found


async def _note_sharing(w: Work, new: Sequence[Missing], tally: Tally) -> None:
    """The lines whose address another line, or another record that the actor may see, has too."""
    addresses = [(one.line.row, locator) for one in new for kind, locator in one.locators if kind == "email"]
    for row, locator in addresses:
        first = tally.addresses.setdefault(locator, row)
        if first != row:
            tally.sharing |= {first, row}
    theirs = CustomerLocator.customer_id.in_(readable(w.actor).with_only_columns(Customer.id))
    query = select(CustomerLocator.locator).where(among(CustomerLocator.locator, [one for _, one in addresses]), theirs)
    there = set((await w.session.scalars(query)).all()) if addresses else set()
    tally.sharing.update(row for row, locator in addresses if locator in there)


async def _number(w: Work, lines: Mapping[str, Line]) -> None:
    """Records that don't hold their number yet. They are looked at once more, and held: since they were compared one may have
    been erased, or its key renewed."""
    if not lines:
        return
    w.lock(*lines)
    waiting = select(Customer).where(among(Customer.id, lines), Customer.number.is_(None), Customer.erased_at.is_(None))
    held = waiting.with_for_update().execution_options(populate_existing=True)
    found = (await w.session.scalars(held)).all()
    await w.unlock(*(one.id for one in found))
    for customer in found:
        customer.number = w.seal(Customer.number, customer.id, lines[customer.id].number or "")


async def _number_unowned(w: Work, known: Sequence[Known], owners: dict[str, Owner]) -> None:
    """Records that came before numbers were kept and still wait, for whom this file says: now both can be hashed anew."""
    by_id = {one.id: one.line for one in known if one.by_number}
    if not by_id:
        return
    waiting = select(Customer).where(UNOWNED, Customer.owner_number.is_(None), among(Customer.id, by_id)).with_for_update()
    found = (await w.session.scalars(waiting)).all()
    await w.unlock(*(one.id for one in found))
    for customer in found:
        line = by_id[customer.id]
        owner = owners[line.owner]
        if owner.number and customer.owner_locator in owner.locators:
            customer.owner_number = w.seal(Customer.owner_number, customer.id, owner.number)
            customer.number = customer.number or w.seal(Customer.number, customer.id, line.number or "")


async def _create(w: Work, tools: Tools, hashed: Hashed, new: Sequence[Missing], owners: dict[str, Owner]) -> None:
    """A part at a time: others are answered between two of them, and what is told of a part need not be remembered."""
    for start in range(0, len(new), PART):
        part = new[start : start + PART]
        people = [
            New(one.line.person, owners[one.line.owner], one.line.number, one.locators, bool(one.was_forgotten)) for one in part
        ]
        made = await make(w, tools, hashed, people)
        await w.tell_first(made)
        w.lock(*(one.subject or "" for one in made))


def _tell(w: Work, done: Imported, file: File) -> None:
    w.publish(
        ImportCompleted(
            import_id=done.import_id, rows=done.rows, created=done.created, already_there=done.already_there,
            forgotten=done.forgotten, returned=done.returned, different=done.different, unowned=done.unowned,
            numbered=done.numbered, refused_columns=len(file.refused),
        )
    )  # fmt: skip
