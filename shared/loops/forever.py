"""A loop of a service: one round after another, whatever a round ends with.

    await forever("saga", lambda: tick(door), every=5)

- a part is away (UnavailableError, or a client that gave up): the next round comes later, and later still;
- anything else is a defect or a bad item that nobody isolated: told by type and place, counted, shown by /readyz as `loops` and
  in /metrics, and the next round comes. It never ends the loop, and so never the service.
Whoever cancels the task ends it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from shared.bus.patience import asked_to_stop
from shared.errors import UnavailableError, described
from shared.http.gauges import Gauge

PAUSE_SECONDS_MAX = 15.0  # between two rounds that fail; at least `every`

log = logging.getLogger("kept.loops")


@dataclass
class Health:
    """What became of one loop's rounds since the process began."""

    failures: int = 0  # rounds that ended with something unexpected
    failing: str = ""  # what the last round ended with; empty where that was well, or a part was away
    items_failed: int = 0  # acts upon items that ended with something unexpected


HEALTH: dict[str, Health] = {}  # of all loops of this process, by name: like the log, one for all


def health(loop: str) -> Health:
    """That of the loop of this name."""
    return HEALTH.setdefault(loop, Health())


async def forever(
    loop: str,
    tick: Callable[[], Awaitable[object]],
    *,
    every: float,
    wake: asyncio.Event | None = None,
    after: float = 0.0,
) -> None:
    """Round after round, `every` so many seconds, the first one `after`. A `tick` that returns True has more to do: the next
    round comes at once. `wake`: the next round comes when it is set, too."""
    mine, bad = health(loop), 0
    mine.failing = ""
    await asyncio.sleep(after)
    while True:
        pause = every
        if wake is not None:
            wake.clear()  # before the round: what happens during it is met by the next
        try:
            more = await tick()
            bad, mine.failing = 0, ""
            pause = 0.0 if more is True else every
        except UnavailableError as error:
            bad, pause = bad + 1, pause_after(bad, every)
            log.warning("%s waits %.1f s: a part is away: %s", loop, pause, error.detail)
        except asyncio.CancelledError:
            if asked_to_stop():
                raise
            bad, pause = bad + 1, pause_after(bad, every)
            log.warning("%s waits %.1f s: a client gave up", loop, pause)
        except Exception as error:
            bad, pause = bad + 1, pause_after(bad, every)
            mine.failures, mine.failing = mine.failures + 1, described(error)
            log.error("%s failed, and goes on in %.1f s: %s", loop, pause, mine.failing)
        await _pause(pause, wake)


def pause_after(bad: int, every: float) -> float:
    """Seconds until the next round, after so many bad ones before this."""
    return max(every, min(0.2 * 2.0 ** min(bad, 10), PAUSE_SECONDS_MAX))


async def _pause(seconds: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass


def failing(loops: Iterable[str] | None = None) -> list[str]:
    """The loops (of these) whose last round failed."""
    return sorted(name for name, one in HEALTH.items() if one.failing and (loops is None or name in loops))


async def gauges() -> list[Gauge]:
    """For /metrics, of this process."""
    return [
        gauge
        for loop, one in sorted(HEALTH.items())
        for gauge in (
            Gauge("kept_loop_failures_total", {"loop": loop}, one.failures),
            Gauge("kept_loop_items_failed_total", {"loop": loop}, one.items_failed),
            Gauge("kept_loop_failing", {"loop": loop}, int(bool(one.failing))),
        )
    ]
