"""One record, one effect: how often a handler is tried, and when it is given up.

The inbox row itself is written by `Door.inbox` in the handler's own transaction. Here stands what happens around it:
- a part is away (UnavailableError): wait and try again, as long as it takes; nothing is dead-lettered for an outage;
- anything else: TRIES times with growing pauses, then the dead letters, and the partition moves on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.errors import MalformedError, UnavailableError, place, reason

TRIES = 5
PAUSES = (0.1, 0.5, 2.0, 5.0)  # between the tries: 7.6 s in all, long enough for a deadlock or a late sibling event
AWAY_SECONDS_MAX = 15.0  # the longest pause while a part is away
HANDLER_SECONDS_MAX = 120.0  # one try; longer is a hang

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Given:
    """Why a record was given up. `reason` is a code or an exception's class, never its text (P1)."""

    reason: str
    tries: int


async def until_done(
    act: Callable[[], Awaitable[None]],
    *,
    what: str,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Given | None:
    """Run `act` until it succeeds (None) or is given up. Cancelling leaves the record unacknowledged."""
    tries = away = 0
    while True:
        try:
            async with asyncio.timeout(HANDLER_SECONDS_MAX):
                await act()
            return None
        except UnavailableError as why:
            away += 1
            seconds = min(0.2 * 2 ** min(away, 10), AWAY_SECONDS_MAX)
            log.warning("%s waits %.1f s: a part is away: %s", what, seconds, why.detail)
            await pause(seconds)
        except MalformedError as why:
            return Given(why.code, tries + 1)  # it will never parse
        except Exception as why:
            tries += 1
            log.warning("%s failed, try %d: %s at %s", what, tries, reason(why), place(why))
            if tries >= TRIES:
                return Given(reason(why), tries)
            await pause(PAUSES[tries - 1])
