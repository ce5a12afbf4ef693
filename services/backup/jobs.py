"""Long work, one piece at a time, by the process that leads: two copies of one cluster at once would only make both slower.

Asked for is what has a row that is under way, whoever wrote it: a set that is `taking`, a drill or a restore that is `running`.
A process that becomes the leader begins with what the one before it left: its scratch servers are stopped and removed, and what
was under way has failed (`interrupted`), for nobody knows how far it came. One that fails ends alone; the next is done.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select

from services.backup.drills import actions as drills
from services.backup.drills import jobs as drills_jobs
from services.backup.drills.drill import drill
from services.backup.drills.tables import Drill
from services.backup.restore import actions as restores
from services.backup.restore import scratch
from services.backup.restore.restore import restore
from services.backup.restore.tables import Restore
from services.backup.sets import actions as sets
from services.backup.sets import jobs as sets_jobs
from services.backup.sets.tables import BackupSet
from services.backup.sets.take import SYSTEM, take
from services.backup.wiring import Tools
from shared.errors import described
from shared.loops.forever import forever, health

LOOK_SECONDS = 1.0

log = logging.getLogger("kept.backup")


@dataclass(frozen=True)
class Piece:
    """What was asked for, and when; `work` does it, and its row says how it ended."""

    id: str
    asked_at: datetime
    work: Callable[[], Coroutine[Any, Any, None]]


class Runner:
    """`run()` while this process leads."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._begun: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        await recover(self._tools)
        await asyncio.gather(
            forever("backup", self.step, every=LOOK_SECONDS), sets_jobs.run(self._tools), drills_jobs.run(self._tools)
        )

    async def step(self) -> bool:
        """Do what was asked for first. Whether there may be more."""
        waiting = [one for one in await asked(self._tools) if one.id not in self._begun]
        if not waiting:
            return False
        piece = min(waiting, key=lambda one: one.asked_at)
        self._begun.add(piece.id)  # once: what failed without its row saying so has failed when another process leads
        try:
            await piece.work()
        except Exception as error:
            health("backup").items_failed += 1
            log.error("backup work ended: %s", described(error))
        return True


async def asked(tools: Tools) -> list[Piece]:
    """All that is under way, or would be."""
    async with tools.door.begin(SYSTEM) as w:
        taking = (await w.session.scalars(select(BackupSet).where(BackupSet.state == "taking"))).all()
        drilling = (await w.session.scalars(select(Drill).where(Drill.state == "running"))).all()
        restoring = (await w.session.scalars(select(Restore).where(Restore.state == "running"))).all()
    return [
        *(Piece(one.id, one.started_at, partial(take, tools, one.id)) for one in taking),
        *(
            Piece(one.id, one.started_at, partial(drill, tools, one.id, one.backup_id, as_trimmed=one.as_trimmed))
            for one in drilling
        ),
        *(Piece(one.id, one.started_at, partial(restore, tools, one.id, one.backup_id)) for one in restoring),
    ]


async def recover(tools: Tools) -> None:
    """What a leader left that was killed."""
    left = await asyncio.to_thread(scratch.remove_all, tools.settings.scratch)
    async with tools.door.begin(SYSTEM) as w:
        failed = await sets.interrupted(w) + await drills.interrupted(w)
        restoring = await restores.interrupted(w)
    for one in restoring:
        await asyncio.to_thread(shutil.rmtree, tools.settings.restored / one[-8:], True)
    if left or failed or restoring:
        log.warning("after a crash: %d scratch places removed, %d pieces of work failed", left, failed + len(restoring))
