"""A consumer that takes nothing though there is something is left for another one; one that waits for a slow record is not."""

import asyncio
from typing import Any, cast

import pytest

from shared.bus import watch as watching
from shared.bus.kafka import Consumer
from shared.bus.watch import Watch
from shared.errors import UnavailableError


class Client:
    def __init__(self, *records: int, behind: int = 0, broken: str = "", answers: bool = True) -> None:
        self.records, self.behind, self.broken, self.answers = list(records), behind, broken, answers
        self.joining = False
        self.waiting = asyncio.Event()
        self.cancelled = False

    async def getone(self) -> int:
        if self.records:
            return self.records.pop(0)
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        raise AssertionError


async def _behind(client: Client) -> int:
    if not client.answers:
        await asyncio.Event().wait()
    return client.behind


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "behind", _behind)
    for name in ("WATCH_SECONDS", "ANSWER_SECONDS_MAX"):
        monkeypatch.setattr(watching, name, 0.01)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(watching, "STILL_SECONDS_MAX", 0.0)


async def taken(client: Client) -> list[Any]:
    """Until the watch gives up."""
    found = []
    async with asyncio.timeout(60):
        async for record in Watch().records(cast(Consumer, client)):
            found.append(record)
    return found


@pytest.mark.parametrize(
    ("client", "why"),
    [
        ({"behind": 3}, "3 records behind, and fetches"),
        ({"broken": "fetching"}, "fetching ended"),
    ],
)
async def test_who_stands_still_is_left(client: dict[str, Any], why: str) -> None:
    one = Client(1, 2, **client)
    with pytest.raises(UnavailableError, match=why):
        await taken(one)
    await asyncio.sleep(0)
    assert not one.records and one.cancelled


async def test_a_broker_that_does_not_answer_is_asked_through_another_client() -> None:
    with pytest.raises(TimeoutError):
        await taken(Client(answers=False))


async def test_who_waits_at_the_end_of_a_topic_waits_on() -> None:
    client, got = Client(1), asyncio.Event()

    async def read() -> None:
        async for _ in Watch().records(cast(Consumer, client)):
            got.set()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(asyncio.gather(got.wait(), client.waiting.wait()), 60)
    assert not (await asyncio.wait({reading}, timeout=0.1))[0]
    reading.cancel()
    await asyncio.wait({reading})


async def test_a_record_that_takes_long_is_no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, client = Watch(), cast(Consumer, Client(behind=3))
    watch.busy = True
    assert await watch.fault(client) == ""
    watch.taken()
    assert "stands still" in await watch.fault(client)
    monkeypatch.setattr(watching, "STILL_SECONDS_MAX", 60.0)
    assert await watch.fault(client) == "" and watch.behind == 3
