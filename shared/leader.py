"""What one of several processes of a service does at a time.

    duty = Leader(engine, "slot 0 of 2", Lock.PARTITION, 0)
    await duty.run(ingest.run)                   # does it while this process leads
    async with duty.leading() as connection:     # or, as the relay: leads on this connection until the end of the block

Who leads holds a lock on a connection of its own. When that is gone (the process was killed, its host vanished), so is the
lock, and one of those that stand by has it LOOK_SECONDS after PostgreSQL noticed: at once after a kill, within half a minute
of a host that went without a word. Never do two lead, but for the moments until one sees that it lost its connection: what it
does then must be harmless, and each duty says why it is.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db import translated
from shared.gauges import Gauge
from shared.locks import Lock
from shared.loops.forever import forever, health
from shared.timeouts import closed, within

LOOK_SECONDS = 1.0
ANSWER_SECONDS_MAX = 5.0  # of the database, while a duty is done

log = logging.getLogger("kept.leader")
Connection = psycopg.AsyncConnection[Any]


_TAKE = "SELECT pg_try_advisory_lock(%s, {of})"
_STAND_BY = "SELECT pg_advisory_lock_shared(%s, {of})"
_STAND_UP = "SELECT pg_advisory_unlock_shared(%s, {of})"
_OTHERS = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = ({of})::bigint::oid
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
# A host that vanished must not lead for the two hours that TCP allows by default.
_KEEPALIVE = "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"

_DUTIES: "list[Leader]" = []  # of this process, those that it has or waits for: like shared/loops HEALTH, one for all
_CHILDREN: dict[str, list[tuple[str, bool]]] = {}  # process that this one has started -> its duties, as it says


def duties() -> list[tuple[str, bool]]:
    """Those that this process and its children have or wait for; whether another one has it."""
    return [*((one.duty, one.stands_by) for one in _DUTIES), *(one for child in _CHILDREN.values() for one in child)]


def of_child(name: str, its: Iterable[tuple[str, bool]]) -> None:
    """What a child says of its duties; nothing once it has ended."""
    _CHILDREN[name] = [(duty, stands_by) for duty, stands_by in its]


def standing_by() -> list[str]:
    """The duties that another process has, for /readyz: this one has them when that one ends."""
    return sorted({duty for duty, stands_by in duties() if stands_by})


async def gauges() -> list[Gauge]:
    """For /metrics."""
    return [Gauge("kept_stands_by", {"duty": duty}, int(stands_by)) for duty, stands_by in duties()]


class Leader:
    """One duty. `of`: the second number of its lock, as SQL."""

    def __init__(self, engine: AsyncEngine, duty: str, lock: Lock, of: int | str = 0) -> None:
        self.duty = duty
        self._engine = engine
        self._lock = lock
        self._of = of
        self.stands_by = False  # another process has it

    async def run(self, *works: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Until cancelled: does `works` while it leads."""
        await forever(self.duty, lambda: self._led(works), every=LOOK_SECONDS, pause_max=LOOK_SECONDS, expected=(OSError,))

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[Connection]:
        """Waits until this process leads; it does so until the end of the block. UnavailableError where the database is away,
        then or later; any other error of the database is a defect, and stays what it is."""
        try:
            async with self._engine.connect() as connection, self._on(connection) as driver:
                yield driver
        except (DBAPIError, PoolTimeoutError, psycopg.Error) as error:
            raise translated(error) from None

    @asynccontextmanager
    async def _on(self, connection: AsyncConnection) -> AsyncIterator[Connection]:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        driver: Connection = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]
        _DUTIES.append(self)
        try:
            await driver.execute(_KEEPALIVE)
            await self._taken(driver)
            yield driver
        finally:
            _DUTIES.remove(self)
            self.stands_by = False
            await closed(connection.invalidate())  # closed, not returned to the pool: the lock goes with it

    async def _taken(self, connection: Connection) -> None:
        if not await self._asked(connection, _TAKE, self._lock):
            self.stands_by = True
            log.info("stands by for %s: another process has it", self.duty)
            await self._asked(connection, _STAND_BY, Lock.BESIDE)
            while not await self._asked(connection, _TAKE, self._lock):  # noqa: ASYNC110 - PostgreSQL has no event for it
                await asyncio.sleep(LOOK_SECONDS)
            await self._asked(connection, _STAND_UP, Lock.BESIDE)
            log.info("took over %s", self.duty)
        self.stands_by = False

    async def others(self, connection: Connection) -> bool:
        """Whether somebody stands by."""
        return await self._asked(connection, _OTHERS, Lock.BESIDE)

    async def _asked(self, connection: Connection, query: str, lock: Lock) -> bool:
        row = await (await connection.execute(query.format(of=self._of).encode(), (int(lock),))).fetchone()
        return bool(row and row[0])

    async def _led(self, works: tuple[Callable[[], Coroutine[Any, Any, object]], ...]) -> None:
        async with self.leading() as connection:
            health(self.duty).well()
            tasks = [asyncio.ensure_future(work()) for work in works]
            try:
                while not any(task.done() for task in tasks):
                    await asyncio.wait(tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                    await within(ANSWER_SECONDS_MAX, connection.execute(b"SELECT 1"))
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=ANSWER_SECONDS_MAX)
