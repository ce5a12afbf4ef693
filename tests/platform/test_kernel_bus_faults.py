"""The bus when something goes wrong, against real servers: a refused topic, a lost lock, a broker that lost records, and what
the outbox and the inbox forget."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared.bus import dlq, trim
from shared.bus.envelope import Envelope, to_record
from shared.bus.event import Event
from shared.ids import new_event_id, new_id
from shared.locks import Lock
from shared.work import Work
from tests.support.kernel import ME, TOPIC, Kernel, open_kernel
from tests.support.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)


class Nudged(Event, type="kept.customers.kernel.nudged.v1"):
    """An event for these tests alone."""

    n: int


async def until(true: Callable[[], Awaitable[Any]], seconds: float = 120) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await true()):
            await asyncio.sleep(0.1)
        return found


class Running:
    """Tasks for the length of a block."""

    def __init__(self, *work: Any) -> None:
        self._tasks = [asyncio.ensure_future(one) for one in work]

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def nudge(kernel: Kernel, subject: str, numbers: range) -> list[str]:
    async with kernel.door.begin(ME) as w:
        return [w.publish(Nudged(subject=subject, n=n)) for n in numbers]


async def change(kernel: Kernel, sql: str, **values: object) -> None:
    async with kernel.engine.begin() as connection:
        await connection.execute(text(sql), values)


def published(kernel: Kernel, topic: str = TOPIC) -> Callable[[], Awaitable[bool]]:
    async def none_waiting() -> bool:
        return await kernel.count(f"outbox WHERE published_at IS NULL AND topic = '{topic}'") == 0

    return none_waiting


async def on_topic(kernel: Kernel, subject: str) -> list[int]:
    """The numbers of a subject's nudges, as they lie on the topic."""
    reader = kernel.broker.consumer(TOPIC, auto_offset_reset="earliest")
    await reader.start()
    try:
        found: list[int] = []
        for part, end in (await reader.end_offsets(sorted(reader.assignment()))).items():
            while await reader.position(part) < end:
                for one in (await reader.getmany(part, timeout_ms=500)).get(part, []):
                    if one.key == subject.encode() and b"kernel.nudged" in dict(one.headers).get("ce_type", b""):
                        found.append(json.loads(one.value)["n"])
        return found
    finally:
        await reader.stop()


@pytest.mark.parametrize("topic", ["kept.nowhere", "kept.identity"], ids=["missing", "another's"])
async def test_a_topic_that_the_broker_refuses_holds_up_no_other(kernel: Kernel, topic: str) -> None:
    subject = new_id("sub")
    await nudge(kernel, subject, range(1))
    await change(kernel, "UPDATE outbox SET topic = :topic", topic=topic)
    await nudge(kernel, subject, range(1, 4))
    relay = kernel.relay()
    async with Running(relay.run()):
        await until(published(kernel), 60)
        assert relay.held == [topic]
        assert await on_topic(kernel, subject) == [1, 2, 3]
        assert await kernel.count(f"outbox WHERE published_at IS NULL AND topic = '{topic}'") == 1, "it waits, and is not lost"


async def test_who_lost_the_lock_sends_no_more_and_nothing_is_sent_twice(kernel: Kernel, platform: Platform) -> None:
    """The broker is silent while a batch is under way; the database ends the relay's connection; another relay takes over."""
    subject = new_id("sub")
    one, other = kernel.relay(), kernel.relay()
    async with Running(one.run(), other.run()):
        await nudge(kernel, subject, range(3))
        await until(published(kernel))
        assert one.active != other.active, "one at a time"
        with platform.paused("kafka"):
            await nudge(kernel, subject, range(3, 9))
            await asyncio.sleep(1)  # the batch is on its way: nothing outside can tell
            query = (
                f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = {int(Lock.RELAY)}"
                " AND objid = 'outbox'::regclass::oid AND database = (SELECT oid FROM pg_database"
                " WHERE datname = current_database())"
            )
            await change(kernel, query)
            await asyncio.sleep(3)
        await until(published(kernel), 90)
    assert await on_topic(kernel, subject) == list(range(9))


async def test_what_the_broker_lost_is_sent_again(kernel: Kernel) -> None:
    """Other ids in the outbox than on the topic: as if the topic had been cut off (a power cut) or made anew in memory."""
    subject = new_id("sub")
    await nudge(kernel, subject, range(5))
    async with Running(kernel.relay().run()):
        await until(published(kernel))
    await change(kernel, "UPDATE outbox SET ce_id = gen_random_uuid()::text WHERE id > (SELECT max(id) - 2 FROM outbox)")
    async with Running(kernel.relay().run()):
        await until(lambda: lies(kernel, subject, [0, 1, 2, 3, 4, 3, 4]))
    assert await published(kernel)()


async def lies(kernel: Kernel, subject: str, numbers: list[int]) -> bool:
    return await on_topic(kernel, subject) == numbers


async def test_the_outbox_forgets_what_was_published_long_ago_but_not_where_it_was(kernel: Kernel) -> None:
    subject = new_id("sub")
    await nudge(kernel, subject, range(5))
    async with Running(kernel.relay().run()):
        await until(published(kernel))
    await change(kernel, "UPDATE outbox SET published_at = now() - make_interval(days => :days)", days=trim.KEEP_DAYS + 1)
    await nudge(kernel, subject, range(5, 6))
    await change(kernel, "UPDATE outbox SET created_at = now() - make_interval(days => 400) WHERE published_at IS NULL")
    async with Running(kernel.relay().run()):
        await until(published(kernel))

        async def trimmed() -> bool:
            return await kernel.count("outbox") == 1

        await until(trimmed)
    assert await kernel.count("outbox WHERE partition IS NOT NULL") == 1, "the newest of its partition stays"
    assert await on_topic(kernel, subject) == list(range(6))


async def test_an_event_that_the_inbox_has_forgotten_is_neither_done_again_nor_lost(kernel: Kernel) -> None:
    subject, handled = new_id("sub"), []
    handlers = await kernel.handlers()

    @handlers.on(Nudged)
    async def nudged(w: Work, event: Nudged, envelope: Envelope) -> None:
        if envelope.subject == subject:
            handled.append(event.n)

    long_ago = datetime.now(UTC) - timedelta(days=trim.INBOX_DAYS + 30)
    ids = [new_event_id() for _ in range(3)]

    async def deliver(n: int) -> None:
        record = to_record(Nudged(subject=subject, n=n), ME, long_ago, ids[n])
        producer = kernel.broker.producer()
        await producer.start()
        await producer.send_and_wait(TOPIC, key=record.key, value=record.value, headers=list(record.headers))
        await producer.stop()

    async def letters() -> list[dlq.Letter]:
        return [one for one in await dlq.letters(kernel.broker, "customers") if one.id in ids]

    async def seen(count: int) -> bool:
        return len(handled) == count

    async with Running(handlers.run()):
        await deliver(0)
        await until(lambda: seen(1))  # never trimmed: an old event is as good as a new one
        await change(kernel, "UPDATE inbox SET handled_at = :then", then=long_ago)
        async with kernel.engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.set_autocommit(True)
            await trim.trim(raw)
            await connection.invalidate()
        assert await kernel.count("inbox") == 1, "the mark that says what was forgotten"
        await deliver(0)
        await deliver(1)
        both = await until(lambda: two(letters))
        assert {one.reason for one in both} == {"forgotten"} and handled == [0]
        both.sort(key=lambda one: ids.index(one.id))
        assert await dlq.replay(kernel.broker, "customers", [both[1].position]) == 1
        await until(lambda: seen(2))
        assert handled == [0, 1]


async def two(letters: Callable[[], Awaitable[list[dlq.Letter]]]) -> list[dlq.Letter]:
    found = await letters()
    return found if len(found) == 2 else []


async def test_replaying_everything_hands_each_letter_over_once(kernel: Kernel) -> None:
    key = new_id("sub").encode()

    async def mine() -> list[dlq.Letter]:
        return [one for one in await dlq.letters(kernel.broker, "customers") if one.key == key]

    handlers = await kernel.handlers()
    producer = kernel.broker.producer()
    await producer.start()
    await producer.send_and_wait(TOPIC, key=key, value=b"no event")
    await producer.stop()
    async with Running(handlers.run()):
        first = (await until(mine))[0]
        assert not first.replayed
        await dlq.replay(kernel.broker, "customers", [first.position])

        async def again() -> list[dlq.Letter]:
            found = await mine()
            return found if len(found) > 1 else []

        found = await until(again)
    marks = {one.position: one.replayed for one in found}
    assert marks.pop(first.position) is True
    assert set(marks.values()) == {False}, "it died again: a letter of its own (one per group: the service itself reads too)"
    assert {one.origin for one in found} == {first.origin}, "that says where it first came from"


class GivesUp:
    """A producer whose first promise is cancelled from within, as aiokafka's are when their broker dies."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    async def send_batch(self, *_: object, **__: object) -> "asyncio.Future[None]":
        promise: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        promise.cancel()
        return promise

    async def stop(self) -> None:
        await self._producer.stop()
        raise asyncio.CancelledError


async def test_a_client_that_gives_up_ends_no_relay(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    subject, made = new_id("sub"), []
    producer = type(kernel.broker).producer

    def first_gives_up(settings: Any) -> Any:
        made.append(1)
        return GivesUp(producer(settings)) if len(made) == 1 else producer(settings)

    monkeypatch.setattr(type(kernel.broker), "producer", first_gives_up)
    await nudge(kernel, subject, range(3))
    async with Running(kernel.relay().run()):
        await until(published(kernel))
    assert len(made) == 2 and await on_topic(kernel, subject) == [0, 1, 2]
