"""What was set aside, and where that is kept: the service's table, or, for a process without a database, its memory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import column, delete, func, select, table, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from shared.access.actor import Actor
from shared.clock import Clock, SystemClock
from shared.errors import NotFoundError
from shared.gauges import Gauge

_COLUMNS = ("loop", "item", "reason", "tries", "first_at", "last_at", "next_try_at")
_ASIDE = table("set_aside", *(column(name) for name in _COLUMNS))
_KEY = (_ASIDE.c.loop, _ASIDE.c.item)


@dataclass(frozen=True)
class Aside:
    """An item that could not be done."""

    loop: str
    item: str
    reason: str
    tries: int
    first_at: datetime
    last_at: datetime
    next_try_at: datetime | None  # None: only by hand

    def due(self, now: datetime) -> bool:
        return self.next_try_at is not None and self.next_try_at <= now


class Memory(ABC):
    """Where it is kept."""

    clock: Clock

    @abstractmethod
    async def of(self, loop: str) -> dict[str, Aside]:
        """All that this loop set aside, by item."""

    @abstractmethod
    async def put(self, aside: Aside) -> None:
        """Keep it, in the place of what was known of the item."""

    @abstractmethod
    async def forget(self, loop: str, items: Sequence[str]) -> None:
        """These are done."""


class InMemory(Memory):
    """As long as the process lives."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._kept: dict[tuple[str, str], Aside] = {}

    async def of(self, loop: str) -> dict[str, Aside]:
        return {item: aside for (whose, item), aside in self._kept.items() if whose == loop}

    async def put(self, aside: Aside) -> None:
        self._kept[aside.loop, aside.item] = aside

    async def forget(self, loop: str, items: Sequence[str]) -> None:
        for item in items:
            self._kept.pop((loop, item), None)


class Transaction(Protocol):
    """A unit of work (shared/work.py), as far as loops need one."""

    @property
    def session(self) -> AsyncSession: ...


class Transactions(Protocol):
    """A service's door (shared/work.py), as far as loops need it: work knows of loops, and they not of work."""

    @property
    def service(self) -> str: ...

    @property
    def clock(self) -> Clock: ...

    def begin(self, actor: Actor, /) -> AbstractAsyncContextManager[Transaction]: ...


class InTable(Memory):
    """In the service's table `set_aside`: known after a restart, and to whoever operates it."""

    def __init__(self, door: Transactions) -> None:
        self.clock = door.clock
        self._door = door
        self._actor = Actor.system(door.service)

    async def of(self, loop: str) -> dict[str, Aside]:
        async with self._door.begin(self._actor) as w:
            return {one.item: one for one in await listed(w.session, loop)}

    async def put(self, aside: Aside) -> None:
        row = dict(zip(_COLUMNS, astuple(aside), strict=True))
        async with self._door.begin(self._actor) as w:
            await w.session.execute(insert(_ASIDE).values(**row).on_conflict_do_update(index_elements=_KEY, set_=row))

    async def forget(self, loop: str, items: Sequence[str]) -> None:
        async with self._door.begin(self._actor) as w:
            await w.session.execute(delete(_ASIDE).where(_ASIDE.c.loop == loop, _ASIDE.c.item.in_(items)))


async def listed(connection: AsyncSession | AsyncConnection, loop: str = "") -> list[Aside]:
    """What is set aside (by one loop), the oldest first."""
    query = select(_ASIDE).order_by(_ASIDE.c.first_at, *_KEY)
    rows: Any = await connection.execute(query.where(_ASIDE.c.loop == loop) if loop else query)
    return [Aside(*row) for row in rows]


async def retry(connection: AsyncConnection, now: datetime, loop: str = "", item: str = "") -> int:
    """Have these (all, if none is named) tried in the next round, as if for the first time; how many. NotFoundError."""
    query = update(_ASIDE).values(next_try_at=now, tries=0)
    query = query.where(_ASIDE.c.loop == loop) if loop else query
    query = query.where(_ASIDE.c.item == item) if item else query
    count = (await connection.execute(query)).rowcount
    if item and not count:
        raise NotFoundError("no such item is set aside")
    return count


async def counted(engine: AsyncEngine) -> dict[str, int]:
    """Loop -> how many items it has set aside."""
    async with engine.connect() as connection:
        rows = await connection.execute(select(_ASIDE.c.loop, func.count()).group_by(_ASIDE.c.loop))
        return {str(loop): int(count) for loop, count in rows}


def gauges_of(counts: dict[str, int], loops: Sequence[str]) -> list[Gauge]:
    """For /metrics; a loop that has nothing set aside says so."""
    return [Gauge("kept_set_aside", {"loop": loop}, counts.get(loop, 0)) for loop in sorted({*counts, *loops})]
