"""Connections for single statements, each a transaction by itself: a look is one round trip, without BEGIN, COMMIT or a ping.

The driver is used as it is: on the way of every look, what SQLAlchemy does around a statement costs more than the statement.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from shared.bounded import Bounded
from shared.db import CONNECT, WAIT_SECONDS_MAX, hung_up
from shared.errors import UnavailableError

CONNECTIONS_MAX = 5  # at a time, per process; the machine behind is busy with fewer
BROKEN = (None, "57P01", "57P02")  # no answer; an administrator ended it; the server crashed
RETRY_SECONDS_MAX = 10.0  # where a server hung for longer, nobody waits for a second try
Row = tuple[Any, ...]
Values = Callable[[], Mapping[str, Any]]


class Direct:
    """At most CONNECTIONS_MAX connections to the database at `url`, opened as they are needed."""

    def __init__(self, url: URL) -> None:
        self._where = {**url.translate_connect_args(database="dbname", username="user"), **url.query, **CONNECT}
        self._idle: list[Bounded] = []
        self._free = asyncio.Semaphore(CONNECTIONS_MAX)

    async def rows(self, statement: str, values: Values) -> Sequence[Row]:
        """What `statement` gives, once it has committed. Where the connection breaks it is run once more, on a fresh one, with
        values of its own: the first may have been done, though its answer is lost. psycopg.Error; UnavailableError where no
        connection is free."""
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._free.acquire()
        except TimeoutError:
            raise UnavailableError("the database has no connection free") from None
        try:
            began = time.monotonic()
            try:
                return await self._run(await self._connection(), statement, values)
            except psycopg.OperationalError as error:
                if error.sqlstate not in BROKEN or time.monotonic() - began > RETRY_SECONDS_MAX:
                    raise
            await self.close()  # those beside it will have ended with the same server
            return await self._run(await self._open(), statement, values)
        finally:
            self._free.release()

    async def _run(self, connection: Bounded, statement: str, values: Values) -> Sequence[Row]:
        try:
            found = await (await connection.execute(statement, values(), prepare=True)).fetchall()
        except BaseException:  # also a cancelled one, whose answer may come yet
            await connection.close()
            raise
        self._idle.append(connection)
        return found

    async def _connection(self) -> Bounded:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and not hung_up(connection.fileno()):
                return connection
            await connection.close()
        return await self._open()

    async def _open(self) -> Bounded:
        return await Bounded.connect(**self._where, autocommit=True)

    async def close(self) -> None:
        """End those that are idle."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
