"""What is there already, held against a file: which columns differ. A look like any other: told, and only of one's own people.

Values are compared and leave nowhere; who may not see a record is not told whether a guess of its values was right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.customers.events import RecordsViewed
from services.customers.policy.model import SEARCHED, FieldPolicy
from services.customers.records.actions import FIELDS, opened, readable
from services.customers.records.model import found_by
from services.customers.records.tables import Customer
from services.customers.transfer.model import NUMBER, OWNER, Line, Place
from shared.access.decide import Resource
from shared.work import Work

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
    found = (await w.session.execute(readable(w.actor).where(Customer.id.in_(by_id)))).all()
    for owner, customer in {row[1]: row[0] for row in found}.items():
        w.decide("view", Resource("Customer", customer.id, {"owner": owner}))
    await w.keyring.prefetch(w.session, [row[0].id for row in found])
    different, without = [], []
    for customer, owner in ((row[0], row[1]) for row in found):
        one = by_id[customer.id]
        names = list(one.line.values)
        stored = await opened(w, customer, names) if names else {}
        columns = [policy.fields[name].column for name in names if not same(name, stored, one.line.values)]
        columns += [NUMBER] * (one.line.number is not None and not one.by_number) + [OWNER] * (one.owner != owner)
        if columns:
            different.append(Place(one.line.row, columns))
        if one.by_number and customer.number is None:
            without.append((customer, one.line))
    _tell(w, [row[0].id for row in found], sorted({name for one in known for name in one.line.values}))
    return Compared(sorted(different, key=lambda place: place.row), without)


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
            RecordsViewed(subjects=part, fields=hidden, purpose="import", decision=list(w.policy_ids), searched=list(names))
        )
