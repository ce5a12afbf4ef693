"""The items of a loop's rounds, each by itself: one that cannot be done is set aside, and the others are done.

    saga = Items("saga", door)
    await saga.each(request_ids, advance)

1. An item that was set aside is left alone until its time comes.
2. `act` is called for each of the others, for ITEM_SECONDS_MAX at most.
3. Where that raises: UnavailableError means that a part is away, which is nothing against the item: the others are tried, and
   the round ends with that error. Anything else sets the item aside with its reason, a code or a class and where (never a text,
   which may hold a value), and it is tried again after PAUSES; after the last of them only by hand.
4. An item that is done, or that is no longer there to be done, is forgotten.
`by_itself` is for the items of a stream, which come once and can't be tried again: one that fails is told and counted.

A crash anywhere costs one try's memory. The name of an item is an id of ours; of anything else only a hash is kept (P1).
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from shared.errors import UnavailableError, described
from shared.loops.aside import Aside, InTable, Memory, Transactions
from shared.loops.forever import health
from shared.timeouts import asked_to_stop

MINUTE, HOUR = 60, 3600
PAUSES = (5, 30, 2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR)  # seconds; a deadlock is over after the first
ITEM_SECONDS_MAX = 120.0  # one act upon one item; longer is a hang
AWAY_MAX = 3  # items in a row that find a part away: then it is away for all

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9_.:/~-]{1,200}")
log = logging.getLogger("kept.loops")


class Items:
    """Those of one loop. `memory`: where it is kept what was set aside; a service's `door` means its table."""

    def __init__(
        self, loop: str, memory: Memory | Transactions, *, seconds: float = ITEM_SECONDS_MAX, again: int | None = None
    ) -> None:
        """`again`: tried for ever, so many seconds after a failure at the latest; for what may never wait for a hand."""
        self.loop = loop
        self._memory = memory if isinstance(memory, Memory) else InTable(memory)
        self._seconds = seconds
        self._again = again
        self._away: set[str] = set()  # those that found a part away last time: the others come before them

    async def each(
        self,
        items: Iterable[T],
        act: Callable[[T], Awaitable[object]],
        *,
        name: Callable[[T], str] = str,
        whole: bool = True,
    ) -> int:
        """Act on each; how many were done. `whole`: these are all that there are now. UnavailableError after all were tried."""
        mine = {safe(name(item)): item for item in items}
        known = await self._memory.of(self.loop)
        now = self._memory.clock.now()
        due = [one for one in mine if one not in known or known[one].due(now)]
        self._away &= mine.keys()
        done, away, row = 0, None, 0
        for one in sorted(due, key=self._away.__contains__):
            try:
                async with asyncio.timeout(self._seconds):
                    await act(mine[one])
            except UnavailableError as error:
                away, row = error, row + 1
                self._away.add(one)
            except asyncio.CancelledError:
                if asked_to_stop():
                    raise
                away, row = UnavailableError("a client gave up"), row + 1
                self._away.add(one)
            except Exception as error:
                row = 0
                await self.put(one, error, known.get(one))
            else:
                done, row = done + 1, 0
                self._away.discard(one)
                if one in known:
                    await self._memory.forget(self.loop, [one])
                    log.warning("%s: %s is done, after %d tries that failed", self.loop, one, known[one].tries)
            if row >= AWAY_MAX:
                break
        if whole and (gone := known.keys() - mine.keys()):
            await self._memory.forget(self.loop, sorted(gone))
        if away is not None:
            raise away
        return done

    async def known(self) -> dict[str, Aside]:
        """What is set aside, by item."""
        return await self._memory.of(self.loop)

    def due(self, aside: Aside) -> bool:
        """Whether it is to be tried now."""
        return aside.due(self._memory.clock.now())

    async def done(self, item: str) -> None:
        """It could be done after all."""
        await self._memory.forget(self.loop, [safe(item)])
        log.warning("%s: %s is done, after tries that failed", self.loop, safe(item))

    async def put(self, item: str, error: BaseException, before: Aside | None = None) -> Aside:
        """Set `item` aside for `error`; `before`: what is known of it already."""
        health(self.loop).items_failed += 1
        now, tries = self._memory.clock.now(), 1 if before is None else before.tries + 1
        first = now if before is None else before.first_at
        aside = Aside(self.loop, safe(item), described(error), tries, first, now, next_try(tries, now, self._again))
        await self._memory.put(aside)
        again = "by hand only" if aside.next_try_at is None else f"in {(aside.next_try_at - now).total_seconds():.0f} s"
        log.error("%s: %s is set aside, try %d, again %s: %s", self.loop, aside.item, tries, again, aside.reason)
        return aside


@contextmanager
def by_itself(loop: str, name: Callable[[], str], away: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """What is done here with one item, of this `name`, fails alone. UnavailableError and `away`: they say nothing about it."""
    try:
        yield
    except UnavailableError:
        raise
    except away:
        raise
    except Exception as error:
        health(loop).items_failed += 1
        log.error("%s: %s is left out: %s", loop, safe(name()), described(error))


def next_try(tries: int, now: datetime, again: int | None = None) -> datetime | None:
    """When an item that failed so often is tried again; None: by hand."""
    if again is not None:
        return now + timedelta(seconds=min(again, PAUSES[min(tries, len(PAUSES)) - 1]))
    return now + timedelta(seconds=PAUSES[tries - 1]) if tries <= len(PAUSES) else None


def safe(name: str) -> str:
    """The name of an item as it may be kept and shown: an id of ours as it is, anything else as a hash."""
    if _NAME.fullmatch(name):
        return name
    return "sha256:" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
