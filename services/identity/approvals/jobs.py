"""What the clock starts: approvals that nobody decided remind or end; counters and old sessions go."""

from datetime import timedelta

from services.identity.approvals import actions as approvals
from services.identity.sessions import actions as sessions
from shared.access.actor import Actor
from shared.loops.forever import forever
from shared.loops.items import Items
from shared.work import Door

TICK_SECONDS = 30
SYSTEM = Actor.system("identity")


async def run(door: Door, every: timedelta) -> None:
    """Until cancelled."""
    ending, reminding = Items("approvals", door), Items("reminders", door)
    await forever("approvals", lambda: tick(door, every, ending, reminding), every=TICK_SECONDS)


async def tick(door: Door, every: timedelta, ending: Items, reminding: Items) -> None:
    """Each approval by itself: one that can't be ended or reminded of holds up no other."""
    async with door.begin(SYSTEM) as w:
        late = await approvals.late(w)

    async def expire(approval_id: str) -> None:
        async with door.begin(SYSTEM) as w:
            await approvals.expire(w, approval_id)

    async def remind(approval_id: str) -> None:
        async with door.begin(SYSTEM) as w:
            await approvals.remind(w, approval_id, every)

    await ending.each(late, expire)
    async with door.begin(SYSTEM) as w:
        waiting = await approvals.waiting(w)
    await reminding.each(waiting, remind)


async def forget(door: Door) -> None:
    """Until cancelled."""
    await forever("sessions", lambda: forget_old(door), every=TICK_SECONDS)


async def forget_old(door: Door) -> None:
    """All at once: two statements."""
    async with door.begin(SYSTEM) as w:
        await sessions.forget_old(w)
