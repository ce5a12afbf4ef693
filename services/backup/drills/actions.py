"""What can be done with drills. One function, one transaction: state and event together."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select

from services.backup.drills.tables import Drill
from services.backup.events import DrillFailed, DrillPassed
from services.backup.formats.report import Report
from services.backup.restore.left_out import LeftOut
from services.backup.sets import actions as sets
from shared.errors import ConflictError, NotFoundError
from shared.paging import PAGE_ROWS, newest_first
from shared.work import Work


async def begin(w: Work, backup_id: str, *, as_trimmed: bool = False) -> Drill:
    """Asks for a drill; the process that leads runs it. `as_trimmed`: with the newest drilled set's keyrings."""
    w.decide("drill", sets.SETS)
    found = await sets.load(w, backup_id)
    if found.state not in ("taken", "drilled"):
        raise ConflictError(f"a set that is {found.state} cannot be drilled")
    row = Drill(id=w.new_id("drl"), backup_id=found.id, state="running", as_trimmed=as_trimmed, started_at=w.now, checks=[])
    w.session.add(row)
    return row


async def rehearse(w: Work, backup_id: str) -> None:
    """Asks for a drill of a set as it will be after a trim, unless one is under way."""
    mine = Drill.backup_id == backup_id, Drill.as_trimmed, Drill.state == "running"
    if await w.session.scalar(select(Drill.id).where(*mine).limit(1)) is None:
        await begin(w, backup_id, as_trimmed=True)


async def load(w: Work, drill_id: str) -> Drill:
    found = await w.session.scalar(select(Drill).where(Drill.id == drill_id).with_for_update())
    if found is None:
        raise NotFoundError
    return found


async def finish(w: Work, report: Report, sha256: str, left_out: LeftOut | None) -> None:
    """The report is durable: drill, set and event say what it says."""
    row = await load(w, report.drill_id)
    if row.state != "running":  # another process leads by now, and said that this one was interrupted
        raise ConflictError(f"a drill that is {row.state} cannot finish")
    row.state = "passed" if report.passed else "failed"
    row.finished_at, row.erasures, row.report_sha256 = w.now, report.erasures, sha256
    row.checks = [asdict(check) for check in report.checks]
    row.left_out = None if left_out is None else left_out.model_dump()
    event = DrillPassed if report.passed else DrillFailed
    checks = {check.name: check.passed for check in report.checks}
    w.publish(event(backup_id=row.backup_id, drill_id=row.id, checks=checks))
    if report.passed:
        sets.move(await sets.load(w, row.backup_id, lock=True), "drilled")


async def interrupted(w: Work, drill_id: str | None = None) -> int:
    """A drill that could not come to a verdict (a crash, Vault away) has not passed. Without an id: all that run."""
    query = select(Drill).where(Drill.state == "running").with_for_update()
    rows = (await w.session.scalars(query if drill_id is None else query.where(Drill.id == drill_id))).all()
    for row in rows:
        row.state, row.finished_at = "failed", w.now
        row.checks = [{"name": "finished", "passed": False, "says": "interrupted"}]
        w.publish(DrillFailed(backup_id=row.backup_id, drill_id=row.id, checks={"finished": False}))
    return len(rows)


async def listed(w: Work, *, cursor: str = "", limit: int = PAGE_ROWS) -> tuple[Sequence[Drill], str | None]:
    """One page, newest first, and the cursor of the next."""
    w.decide("view", sets.SETS)
    return await newest_first(w.session, select(Drill), Drill.id, cursor=cursor, limit=limit)


async def newest(w: Work) -> Drill | None:
    found: Drill | None = await w.session.scalar(select(Drill).order_by(Drill.id.desc()).limit(1))
    return found
