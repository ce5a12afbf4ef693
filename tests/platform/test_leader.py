"""A duty of a service is one process's at a time, and another's soon after that one is gone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import make_engine
from shared.leader import Leader, gauges, standing_by
from shared.locks import Lock
from shared.loops.forever import health
from tests.support.postgres import server

pytestmark = [pytest.mark.platform]
MOVES_SECONDS_MAX = 15.0
HOLDS = "pg_locks WHERE locktype = 'advisory' AND classid = 4724 AND granted"
KILL = f"SELECT pg_terminate_backend(pid) FROM {HOLDS}"


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[AsyncEngine]:
    async with server() as urls:
        engine = make_engine(urls["customers"])
        yield engine
        await engine.dispose()


class Worked:
    """Works that note who does them."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.begun: list[str] = []

    def by(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def work() -> None:
            self.now.append(name)
            self.begun.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.now.remove(name)

        return work


async def until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one) for one in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_duty_moves_when_its_leader_is_gone_and_is_nobody_elses_before(engine: AsyncEngine) -> None:
    worked, first, second = Worked(), *(Leader(engine, "a duty", Lock.LONG_WORK, 7) for _ in range(2))
    async with running(first.run(worked.by("first"))):
        await until(lambda: worked.now == ["first"])
        async with running(second.run(worked.by("second"))):
            await until(lambda: second.stands_by)
            assert standing_by() == ["a duty"] and worked.now == ["first"] and not first.stands_by
            assert sorted(int(one.value) for one in await gauges()) == [0, 1]
            began = time.monotonic()
            async with engine.connect() as connection:
                await connection.execute(text(KILL))
            await until(lambda: len(worked.begun) == 2 and worked.now == worked.begun[-1:])  # the first may have been quicker
            assert time.monotonic() - began < MOVES_SECONDS_MAX
    assert standing_by() == [] and await gauges() == []


async def test_two_duties_are_two(engine: AsyncEngine) -> None:
    worked, one, other = Worked(), Leader(engine, "one", Lock.LONG_WORK, 1), Leader(engine, "other", Lock.LONG_WORK, 2)
    async with running(one.run(worked.by("one")), other.run(worked.by("other"))):
        await until(lambda: sorted(worked.now) == ["one", "other"])


async def test_who_leads_sees_that_somebody_stands_by(engine: AsyncEngine) -> None:
    first, second = (Leader(engine, "watched", Lock.LONG_WORK, 3) for _ in range(2))
    async with first.leading() as connection:
        assert not await first.others(connection)
        async with running(second.run(Worked().by("second"))):
            await until(lambda: second.stands_by)
            async with asyncio.timeout(120):
                while not await first.others(connection):
                    await asyncio.sleep(0.01)


async def test_a_work_that_fails_is_told_of_and_begun_again(engine: AsyncEngine) -> None:
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("someone@example.org")
        await asyncio.Event().wait()

    before = health("failing duty").failures
    async with running(Leader(engine, "failing duty", Lock.LONG_WORK, 4).run(work)):
        await until(lambda: len(tries) == 2)
    assert health("failing duty").failures == before + 1
