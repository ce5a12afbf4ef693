"""A loop of a service: one round after another, whatever a round ends with.

    await forever("saga", lambda: tick(door), every=5)

- a part is away (UnavailableError, a client that gave up, or one of `expected`): the next round comes later, and later still;
- anything else is a defect or a bad item that nobody isolated: told by type and place, counted, shown by /readyz as `loops` and
  in /metrics, and the next round comes. It never ends the loop, and so never the service.
Whoever cancels the task ends it.

A round may last as long as its connection does (the relay's, the handlers'). When that is up it says `health(loop).well()`:
what was before is over, and the pauses begin anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from shared.errors import UnavailableError, described
from shared.gauges import Gauge
from shared.timeouts import asked_to_stop

PAUSE_SECONDS_MAX = 15.0  # between two rounds that fail; at least `every`

log = logging.getLogger("kept.loops")


@dataclass
class Health:
    """What became of one loop's rounds since the process began."""

    bad: int = 0  # rounds in a row that ended with an error, the last one included
    failures: int = 0  # rounds that ended with something unexpected
    failing: str = ""  # what the last round ended with; empty where that was well, or a part was away
    items_failed: int = 0  # acts upon items that ended with something unexpected
    told: str = ""  # of the rounds in a row: the same is not said again as often as they come

    def well(self) -> None:
        """The round that is under way does what it is for."""
        self.bad, self.failing, self.told = 0, "", ""


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
    expected: tuple[type[Exception], ...] = (),
    pause_max: float | None = None,
) -> None:
    """Round after round, `every` so many seconds, the first one `after`. A `tick` that returns True has more to do: the next
    round comes at once. `wake`: the next round comes when it is set, too. `expected`: what a client raises where its server is
    away. `pause_max`: between two rounds that fail, where PAUSE_SECONDS_MAX is too long."""
    mine = health(loop)
    turn = _Turn(loop, mine, tick, every, PAUSE_SECONDS_MAX if pause_max is None else pause_max, expected)
    mine.well()
    try:
        await asyncio.sleep(after)
        while True:
            if wake is not None:
                wake.clear()  # before the round: what happens during it is met by the next
            await _pause(await turn.round(), wake)
    finally:
        mine.well()  # a loop that was stopped is not failing


@dataclass
class _Turn:
    """What one loop does again and again."""

    loop: str
    health: Health
    tick: Callable[[], Awaitable[object]]
    every: float
    pause_max: float
    expected: tuple[type[Exception], ...]

    async def round(self) -> float:
        """One; the seconds until the next."""
        try:
            more = await self.tick()
            self.health.well()
            return 0.0 if more is True else self.every
        except UnavailableError as error:
            return self._away(error.detail)
        except self.expected as error:
            return self._away(described(error))
        except asyncio.CancelledError:
            if asked_to_stop():
                raise
            return self._away("a client gave up")
        except Exception as error:
            return self._failed(described(error))

    def _away(self, why: str) -> float:
        """Told when it begins, and while the pauses grow."""
        pause = self._bad("")
        said = f"{self.loop} waits {pause:.1f} s: a part is away: {why}"
        if said != self.health.told:
            log.warning("%s", said)
        self.health.told = said
        return pause

    def _failed(self, why: str) -> float:
        self.health.failures += 1
        pause = self._bad(why)
        log.error("%s failed, and goes on in %.1f s: %s", self.loop, pause, why)
        return pause

    def _bad(self, failing: str) -> float:
        self.health.bad, self.health.failing = self.health.bad + 1, failing
        return pause_after(self.health.bad, self.every, self.pause_max)


def pause_after(bad: int, every: float, most: float) -> float:
    """Seconds until the next round, after so many bad ones in a row."""
    return max(every, min(0.2 * 2.0 ** min(bad, 10), most))


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
