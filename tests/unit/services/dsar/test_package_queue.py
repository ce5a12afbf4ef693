"""A package is made outside any transaction, one for a request at a time, and the queue for it has an end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from services.dsar.packages import queue as module
from services.dsar.packages.actions import Contents, Made
from services.dsar.packages.queue import Lock, PackageQueue
from shared.errors import InvalidInputError, TooManyError

CONTENTS = Contents("en", {"missing": []}, [], "", [])
PLAIN = Lock()
OPEN = ContextVar("open", default=False)  # this task has a transaction


class Rooms:
    """Stands for the door: how many transactions are open, and how many packages were being made while one was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = self.inside = self.making = self.most = self.made = 0
        self.go = asyncio.Event()
        monkeypatch.setattr(module, "_packed", self._packed)
        monkeypatch.setattr(asyncio, "to_thread", self._thread)

    async def gather(self) -> Contents:
        async with self._transaction():
            await asyncio.sleep(0)
            return CONTENTS

    @asynccontextmanager
    async def _transaction(self) -> Any:
        mine = OPEN.set(True)
        self.open += 1
        yield
        self.open -= 1
        OPEN.reset(mine)

    async def _thread(self, work: Callable[..., Made], *given: Any) -> Made:
        self.inside += OPEN.get()
        self.making += 1
        self.most = max(self.most, self.making)
        await self.go.wait()
        self.making -= 1
        return work(*given)

    def _packed(self, contents: Contents, lock: Lock) -> Made:
        self.made += 1
        return Made(b"zip", [], frozenset(), bool(lock))


async def settled(tasks: list[asyncio.Task[Made]], rooms: Rooms) -> list[Made | BaseException]:
    for _ in range(1000):  # all that can begin has begun
        await asyncio.sleep(0)
    rooms.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def ask(
    queue: PackageQueue, make: Callable[[], Awaitable[Contents]], request: str, source: str = "s", lock: Lock = PLAIN
) -> Any:
    return asyncio.create_task(queue.make(request, source, lock, make))


async def test_second_clicks_get_what_the_first_gets_and_another_lock_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, queue = Rooms(monkeypatch), PackageQueue()
    tasks = [ask(queue, rooms.gather, "req_a", lock=Lock("phrase")) for _ in range(20)]
    tasks += [ask(queue, rooms.gather, "req_a", lock=Lock("other"))]
    *same, other = await settled(tasks, rooms)
    assert same == [Made(b"zip", [], frozenset(), True)] * 20 and rooms.made == 1
    assert isinstance(other, TooManyError) and other.retry_after > 0
    assert await queue.make("req_a", "s", Lock("other"), rooms.gather), "and then it is made"


async def test_few_are_made_at_a_time_and_none_inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, queue = Rooms(monkeypatch), PackageQueue()
    tasks = [ask(queue, rooms.gather, f"req_{n}", f"s{n}") for n in range(10)]
    for _ in range(1000):
        await asyncio.sleep(0)
    assert rooms.open == 0, "whoever waits for a turn holds no connection"
    assert len(await settled(tasks, rooms)) == rooms.made == 10
    assert rooms.most == module.AT_ONCE and rooms.inside == 0


async def test_a_source_fills_no_queue_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, queue = Rooms(monkeypatch), PackageQueue()
    tasks = [ask(queue, rooms.gather, f"req_{n}", "flood") for n in range(100)]
    tasks += [ask(queue, rooms.gather, "req_other", "other")]
    *flood, other = await settled(tasks, rooms)
    assert sum(isinstance(one, Made) for one in flood) == module.OF_ONE_SOURCE
    assert all(isinstance(one, Made | TooManyError) for one in flood) and isinstance(other, Made)


async def test_who_goes_away_takes_nothing_from_a_second_and_a_failure_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, queue = Rooms(monkeypatch), PackageQueue()
    first, second = ask(queue, rooms.gather, "req_a"), ask(queue, rooms.gather, "req_a")
    for _ in range(10):
        await asyncio.sleep(0)
    first.cancel()
    gone, there = await settled([first, second], rooms)
    assert isinstance(gone, asyncio.CancelledError) and isinstance(there, Made)
    monkeypatch.setattr(module, "_packed", lambda *_: (_ for _ in ()).throw(InvalidInputError))
    with pytest.raises(InvalidInputError):
        await queue.make("req_a", "s", PLAIN, rooms.gather)
    monkeypatch.setattr(module, "_packed", rooms._packed)
    assert await queue.make("req_a", "s", PLAIN, rooms.gather)


async def test_a_turn_that_does_not_come_is_told_and_holds_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is not waited for without end by those behind it."""
    monkeypatch.setattr(module, "WAIT_SECONDS_MAX", 0.0)
    rooms, queue = Rooms(monkeypatch), PackageQueue()
    hang = [ask(queue, rooms.gather, f"req_{n}") for n in range(module.AT_ONCE)]
    for _ in range(1000):
        await asyncio.sleep(0)
    behind = [ask(queue, rooms.gather, f"req_behind_{n}") for n in range(module.OF_ONE_SOURCE)]
    told = [await asyncio.gather(one, return_exceptions=True) for one in behind]
    assert all(isinstance(one, TooManyError) and one.retry_after for (one,) in told)
    assert all(isinstance(one, Made) for one in await settled(hang, rooms))
    monkeypatch.undo()
    assert not queue._gate.locked()
