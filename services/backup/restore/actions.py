"""What can be done with restores. One function, one transaction: state and event together."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.backup.events import RestoreFinished
from services.backup.restore.left_out import LeftOut
from services.backup.restore.tables import Erasure, Restore
from services.backup.sets import actions as sets
from shared.access.grants import Grant
from shared.errors import ConflictError, NotFoundError
from shared.paging import PAGE_ROWS, newest_first
from shared.work import Work


async def hear(w: Work, holder: str, subject: str, event_id: str) -> None:
    """An erasure happened. Idempotent."""
    row = insert(Erasure).values(holder=holder, subject=subject, event_id=event_id, heard_at=w.now)
    await w.session.execute(row.on_conflict_do_nothing())


async def begin(w: Work, backup_id: str, grant: Grant) -> Restore:
    """Spends the grant of two people on one restore of one drilled set."""
    w.decide("restore", sets.SETS)
    found = await sets.load(w, backup_id)
    if found.state != "drilled":
        raise ConflictError("only a drilled set counts as a backup: drill it first")
    await w.spend(grant)
    row = Restore(id=w.new_id("rst"), backup_id=found.id, approval_id=grant.approval_id, state="running", started_at=w.now)
    w.session.add(row)
    return row


async def load(w: Work, restore_id: str) -> Restore:
    found = await w.session.scalar(select(Restore).where(Restore.id == restore_id).with_for_update())
    if found is None:
        raise NotFoundError
    return found


async def finish(w: Work, restore_id: str, erasures: int, left_out: LeftOut | None) -> None:
    """`left_out`: of a set from before the horizon."""
    row = await load(w, restore_id)
    if row.state != "running":
        raise ConflictError(f"a restore that is {row.state} cannot finish")
    row.state, row.finished_at, row.erasures = "finished", w.now, erasures
    row.left_out = None if left_out is None else left_out.model_dump()
    people = 0 if left_out is None else left_out.erased_since + left_out.unlisted
    w.publish(
        RestoreFinished(
            backup_id=row.backup_id, restore_id=row.id, approval_id=row.approval_id, erasures=erasures, left_out=people
        )
    )  # fmt: skip


async def fail(w: Work, restore_id: str, code: str) -> None:
    row = await load(w, restore_id)
    row.state, row.finished_at, row.failure = "failed", w.now, code


async def interrupted(w: Work) -> list[str]:
    """Restores that nobody runs any more have failed; their ids."""
    rows = (await w.session.scalars(select(Restore).where(Restore.state == "running").with_for_update())).all()
    for row in rows:
        row.state, row.finished_at, row.failure = "failed", w.now, "interrupted"
    return [row.id for row in rows]


async def listed(w: Work, *, cursor: str = "", limit: int = PAGE_ROWS) -> tuple[Sequence[Restore], str | None]:
    """One page, newest first, and the cursor of the next."""
    w.decide("view", sets.SETS)
    return await newest_first(w.session, select(Restore), Restore.id, cursor=cursor, limit=limit)
