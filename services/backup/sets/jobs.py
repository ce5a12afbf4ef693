"""What the clock starts: a set when one is due, a drill of the newest set when one is due."""

import asyncio
import logging

from services.backup.drills import actions as drills
from services.backup.drills.drill import drill
from services.backup.sets import actions as sets
from services.backup.sets.model import is_due
from services.backup.sets.take import SYSTEM, take
from services.backup.wiring import Wired
from shared.errors import KeptError

TICK_SECONDS = 60
log = logging.getLogger("kept.backup.schedule")


async def tick(wired: Wired) -> None:
    async with wired.door.begin(SYSTEM) as w:
        last = await sets.newest(w, "taking", "taken", "drilled")
        begun = None
        if is_due(last.started_at if last else None, w.now, wired.settings.take_every):
            begun = sets.begin(w).id
        whole = await sets.newest(w, "taken", "drilled")
        drilled = await drills.newest(w)
        asked = None
        if whole and is_due(drilled.started_at if drilled else None, w.now, wired.settings.drill_every):
            asked = await drills.begin(w, whole.id)
    if begun:
        wired.runner.start(take(wired, begun))
    if asked:
        wired.runner.start(drill(wired, asked.id, asked.backup_id))


async def run(wired: Wired) -> None:
    """Until cancelled. A part that is away is met by the next round."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        try:
            await tick(wired)
        except KeptError as error:
            log.warning("schedule put off: %s", error.code)
