"""What can be done with sets. One function, one transaction: state and event together."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import select

from services.backup.events import SetTaken
from services.backup.formats.manifest import Manifest
from services.backup.sets.model import State, moved
from services.backup.sets.tables import BackupSet
from shared.access.decide import Resource
from shared.errors import NotFoundError
from shared.ids import require_id
from shared.paging import PAGE_ROWS, newest_first
from shared.work import Work

SETS = Resource("Backups", "sets", {})


def begin(w: Work) -> BackupSet:
    """Asks for a set; the process that leads takes it."""
    w.decide("take", SETS)
    row = BackupSet(id=w.new_id("bak"), state="taking", started_at=w.now)
    w.session.add(row)
    return row


async def load(w: Work, backup_id: str, *, lock: bool = False) -> BackupSet:
    query = select(BackupSet).where(BackupSet.id == require_id(backup_id, "bak"))
    found = await w.session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFoundError
    return found


async def taken(w: Work, backup_id: str, manifest: Manifest, sha256: str) -> None:
    """Every blob of the set is durable: now it may be said."""
    row = await load(w, backup_id, lock=True)
    move(row, "taken")
    row.taken_at, row.bytes, row.parts, row.manifest_sha256 = w.now, manifest.bytes, len(manifest.parts), sha256
    w.publish(SetTaken(backup_id=row.id, bytes=manifest.bytes, manifest_sha256=sha256))


async def failed(w: Work, backup_id: str, code: str) -> None:
    row = await load(w, backup_id, lock=True)
    move(row, "failed")
    row.failure = code


async def interrupted(w: Work) -> int:
    """What a crash left half taken has failed. It has no manifest, so nothing can restore it."""
    rows = (await w.session.scalars(select(BackupSet).where(BackupSet.state == "taking").with_for_update())).all()
    for row in rows:
        move(row, "failed")
        row.failure = "interrupted"
    return len(rows)


async def listed(w: Work, *, cursor: str = "", limit: int = PAGE_ROWS) -> tuple[Sequence[BackupSet], str | None]:
    """One page, newest first, and the cursor of the next."""
    w.decide("view", SETS)
    return await newest_first(w.session, select(BackupSet), BackupSet.id, cursor=cursor, limit=limit)


async def newest(w: Work, *states: State) -> BackupSet | None:
    query = select(BackupSet).where(BackupSet.state.in_(states)).order_by(BackupSet.id.desc()).limit(1)
    return cast("BackupSet | None", await w.session.scalar(query))


async def ids(w: Work, *states: State) -> Sequence[str]:
    """Of all sets in one of these states, the oldest first."""
    return (await w.session.scalars(select(BackupSet.id).where(BackupSet.state.in_(states)).order_by(BackupSet.id))).all()


def move(row: BackupSet, to: State) -> None:
    """The only place where a set's state changes."""
    row.state = moved(cast("State", row.state), to)
