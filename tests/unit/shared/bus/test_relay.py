"""What the relay meets at the database: that it is away, or a defect of ours. Either is tried again, and only one is told as a
defect."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus import relay as relays
from shared.bus.broker import BrokerSettings
from shared.bus.relay import Relay
from shared.loops.forever import HEALTH, failing

AWAY = [
    psycopg.OperationalError(), psycopg.errors.AdminShutdown(), psycopg.InterfaceError(), PoolTimeoutError(), OSError(),
    DBAPIError("", {}, psycopg.OperationalError()), DBAPIError("", {}, Exception(), connection_invalidated=True),
]  # fmt: skip
DEFECTS = [
    psycopg.errors.UndefinedColumn("luisg@embraer.com.br"), psycopg.errors.InsufficientPrivilege(), psycopg.DataError(),
    DBAPIError("luisg@embraer.com.br", {}, psycopg.ProgrammingError()), psycopg.errors.UniqueViolation(), ZeroDivisionError(),
]  # fmt: skip


def named(error: Exception) -> str:
    return type(error).__name__


class Engine:
    """Fails so for two rounds; then it waits."""

    def __init__(self, error: Exception) -> None:
        self.error, self.rounds, self.again = error, 0, asyncio.Event()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        self.rounds += 1
        if self.rounds > 2:
            self.again.set()
            await asyncio.Event().wait()
        raise self.error
        yield


async def _two_rounds(error: Exception, seen: Callable[[], object]) -> object:
    engine = Engine(error)
    running = asyncio.create_task(Relay(cast(AsyncEngine, engine), BrokerSettings(""), asyncio.Event()).run())
    try:
        await asyncio.wait_for(engine.again.wait(), 60)
        return seen()
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(relays, "PAUSE_SECONDS_MAX", 0.0)
    HEALTH.clear()


@pytest.mark.parametrize("error", AWAY, ids=named)
async def test_a_database_that_is_away_is_no_defect(error: Exception) -> None:
    assert await _two_rounds(error, failing) == [] and HEALTH["relay"].failures == 0


@pytest.mark.parametrize("error", DEFECTS, ids=named)
async def test_a_defect_is_told_as_one_and_tried_again(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    assert await _two_rounds(error, failing) == ["relay"] and HEALTH["relay"].failures == 2
    assert "relay failed" in caplog.text and "luisg" not in caplog.text
