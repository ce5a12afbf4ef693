"""What the clock starts: approvals that nobody decided end; counters and old sessions go."""

import asyncio
import logging

from services.identity.approvals import actions as approvals
from services.identity.sessions import actions as sessions
from shared.access.actor import Actor
from shared.errors import KeptError
from shared.work import Door

TICK_SECONDS = 30
log = logging.getLogger("kept.identity.jobs")


async def run(door: Door) -> None:
    """Until cancelled. A part that is away is met by the next round."""
    while True:
        try:
            async with door.begin(Actor.system("identity")) as w:
                await approvals.expire(w)
            async with door.begin(Actor.system("identity")) as w:
                await sessions.forget_old(w)
        except KeptError as error:
            log.warning("round put off: %s", error.code)
        await asyncio.sleep(TICK_SECONDS)
