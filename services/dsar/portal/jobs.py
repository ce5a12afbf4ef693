"""What the clock starts: secrets that open nothing any more go, and counters that count nothing."""

from services.dsar.portal.counting import forget_counters
from services.dsar.requests.capabilities import forget_expired
from shared.access.actor import Actor
from shared.loops.forever import forever
from shared.work import Door

TICK_SECONDS = 5


async def run(door: Door) -> None:
    """Until cancelled."""

    async def forget() -> None:
        async with door.begin(Actor.system("dsar")) as w:
            await forget_expired(w)
            await forget_counters(w)

    await forever("capabilities", forget, every=TICK_SECONDS)
