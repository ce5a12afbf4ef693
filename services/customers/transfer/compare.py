"""What is there already, held against a file: which columns differ. A look like any other: told, and only of one's own people.

Values are compared and leave nowhere; who may not see a record is not told whether a guess of its values was right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.customers.events import RecordsViewed
from services.customers.policy.model import SEARCHED, FieldPolicy
from services.customers.records.actions import opened
from services.customers.records.model import found_by
from services.customers.records.rows import ROWS, among, readable, rows_of, unlock
from services.customers.tables import FIELDS, Customer
from services.customers.transfer.model import NUMBER, OWNER, Line, Place
from shared.work import Work

PART = 250  # records that are opened at once: some 10 ms, in which the process answers nobody
SUBJECTS_PER_LOOK = 1_000  # one event lists at most so many: 40 kB, far under what the bus takes


@dataclass(frozen=True)
class Known:
    """A line whose record is there. `owner`: the user whom the line names; `by_number`: that is how it was found."""

    line: Line
    id: str
    owner: str | None
    by_number: bool


@dataclass(frozen=True)
class Compared:
    """Rows with other values than the record's, and records that don't hold their number yet."""

    different: Sequence[Place]
    without_number: Sequence[tuple[Customer, Line]]


async def compared(w: Work, policy: FieldPolicy, known: Sequence[Known]) -> Compared:
    """Of those records that the actor may see."""
    by_id = {one.id: one for one in known}
    ids, seen = list(by_id), list[str]()
    different, without = list[Place](), list[tuple[Customer, Line]]()
    for start in range(0, len(ids), PART):
        found = await rows_of(w, readable(w.actor).where(among(Customer.id, ids[start : start + PART])))
        await unlock(w, found)
        for customer in (row.customer for row in found):
            seen.append(customer.id)
            one = by_id[customer.id]
            if columns := _different(w, policy, one, customer):
                different.append(Place(one.line.row, columns))
            if one.by_number and customer.number is None:
                without.append((customer, one.line))
    _tell(w, seen, sorted({name for one in known for name in one.line.values}))
    return Compared(sorted(different, key=lambda place: place.row), without)


def _different(w: Work, policy: FieldPolicy, one: Known, customer: Customer) -> list[str]:
    names = list(one.line.values)
    stored = opened(w, customer, names) if names else {}
    columns = [policy.fields[name].column for name in names if not same(name, stored, one.line.values)]
    columns += [NUMBER] * (one.line.number is not None and not one.by_number)
    return columns + [OWNER] * (one.owner != customer.owner_id)


def same(name: str, stored: Mapping[str, str | None], sent: Mapping[str, str | None]) -> bool:
    """Whether two records say the same in this field; an address or a number in any spelling."""
    if (stored[name] or None) == (sent[name] or None):
        return True
    if name not in SEARCHED:
        return False
    one, other = ([found for found in found_by(values) if found[0] == name] for values in (stored, sent))
    return bool(one) and one == other


def _tell(w: Work, subjects: Sequence[str], names: Sequence[str]) -> None:
    for start in range(0, len(subjects), SUBJECTS_PER_LOOK):
        part = list(subjects[start : start + SUBJECTS_PER_LOOK])
        hidden = dict.fromkeys(FIELDS, "hidden")
        w.publish(
            RecordsViewed(subjects=part, fields=hidden, purpose="import", decision=[*w.policy_ids, ROWS], searched=list(names))
        )
