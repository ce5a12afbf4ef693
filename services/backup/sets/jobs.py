"""What the clock asks for: a set when one is due."""

from services.backup.sets import actions as sets
from services.backup.sets.model import is_due
from services.backup.sets.take import SYSTEM
from services.backup.wiring import Tools
from shared.loops.forever import forever

TICK_SECONDS = 60


async def run(tools: Tools) -> None:
    """Until cancelled."""
    await forever("sets", lambda: take_if_due(tools), every=TICK_SECONDS, after=TICK_SECONDS)


async def take_if_due(tools: Tools) -> None:
    """Ask for a set, where the last one is old enough."""
    async with tools.door.begin(SYSTEM) as w:
        last = await sets.newest(w, "taking", "taken", "drilled")
        if is_due(last.started_at if last else None, w.now, tools.settings.take_every):
            sets.begin(w)
