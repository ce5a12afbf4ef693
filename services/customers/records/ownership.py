"""Whose a record is: a user's id. A file may come before the staff: its records wait, unowned, by the locator of their
representative's employee number, and are that user's when identity tells of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.customers.events import RecordsAssigned
from services.customers.tables import Customer, StaffLocator
from shared.access.decide import Resource
from shared.work import Work

ROWS_PER_EVENT = 1_000  # 40 kB, far under what the bus takes
UNOWNED = and_(Customer.owner_id.is_(None), Customer.erased_at.is_(None))


@dataclass(frozen=True)
class Owner:
    """A representative: the user; or, where nobody on the staff has it, the number and its locators, by which records wait: by
    the newest, and until it is rotated by the one before."""

    user: str | None
    locators: Sequence[str]
    number: str = ""


@dataclass(frozen=True)
class Unowned:
    """How many records nobody can see. `without_number`: of those, how many came before the number was kept: they wait by a
    locator that cannot be made anew, until they are imported once more."""

    records: int
    without_number: int


async def note_user(w: Work, user: str, locators: Sequence[str]) -> None:
    """Identity knows `user` by these locators, and by no others: who waited for them is theirs now."""
    old = delete(StaffLocator).where(StaffLocator.user_id == user, StaffLocator.locator.not_in(locators))
    await w.session.execute(old)
    for locator in locators:
        known = insert(StaffLocator).values(locator=locator, user_id=user)
        await w.session.execute(known.on_conflict_do_update(index_elements=[StaffLocator.locator], set_={"user_id": user}))
    await assign(w, Customer.owner_locator.in_(locators))


async def forget_user(w: Work, user: str) -> None:
    """Somebody of the staff was forgotten: nobody finds them by a locator any more. Whose records were theirs, are."""
    await w.session.execute(delete(StaffLocator).where(StaffLocator.user_id == user))


async def assign(w: Work, which: ColumnElement[bool] | None = None) -> bool:
    """Give waiting records (all, or `which`) to those for whom they wait, and tell of it; whether there may be more.

    Two at once take different rows: those that another has locked are left out."""
    ready = (
        select(Customer.id, StaffLocator.user_id)
        .join(StaffLocator, StaffLocator.locator == Customer.owner_locator)
        .where(UNOWNED)
        .limit(ROWS_PER_EVENT)
        .with_for_update(of=Customer, skip_locked=True)
    )
    rows = (await w.session.execute(ready if which is None else ready.where(which))).all()
    theirs: dict[str, list[str]] = {}
    for subject, user in rows:
        theirs.setdefault(user, []).append(subject)
    for user, subjects in theirs.items():
        given = update(Customer).where(Customer.id.in_(subjects)).values(owner_id=user, owner_number=None)
        await w.session.execute(given.execution_options(synchronize_session=False))
        w.publish(RecordsAssigned(subjects=sorted(subjects), owner=user))
    return len(rows) == ROWS_PER_EVENT


async def view_unowned(w: Work) -> Unowned:
    """For those who may import: how many wait. No value is read, and nobody is named."""
    w.decide("import", Resource("Customers", "all", {"owners": []}))
    return await count_unowned(w)


async def told_unowned(w: Work) -> int:
    """How many wait, for a page that shows it to those who may import; 0 for everybody else."""
    may = w.may("import", Resource("Customers", "all", {"owners": []}))
    return (await count_unowned(w)).records if may else 0


async def count_unowned(w: Work) -> Unowned:
    """As `view_unowned`, for /metrics."""
    counts = select(func.count(), func.count().filter(Customer.owner_number.is_(None))).where(UNOWNED)
    records, without_number = (await w.session.execute(counts)).one()
    return Unowned(records, without_number)
