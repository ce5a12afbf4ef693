"""What the clock asks for: a drill of the newest set when one is due. Neither it nor the taking of sets waits for the other."""

from services.backup.drills import actions as drills
from services.backup.sets import actions as sets
from services.backup.sets.model import is_due
from services.backup.sets.take import SYSTEM
from services.backup.wiring import Tools
from shared.loops.forever import forever

TICK_SECONDS = 60


async def run(tools: Tools) -> None:
    """Until cancelled."""
    await forever("drills", lambda: drill_if_due(tools), every=TICK_SECONDS, after=TICK_SECONDS)


async def drill_if_due(tools: Tools) -> None:
    """Ask for a drill of the newest set, where the last one is old enough."""
    async with tools.door.begin(SYSTEM) as w:
        whole = await sets.newest(w, "taken", "drilled")
        drilled = await drills.newest(w)
        if whole and is_due(drilled.started_at if drilled else None, w.now, tools.settings.drill_every):
            await drills.begin(w, whole.id)
