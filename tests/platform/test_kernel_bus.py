"""The kernel against real servers: door, outbox, relay, Kafka, inbox, dead letters; in a schema and group of its own."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from shared import telemetry
from shared.bus import dlq
from shared.bus import relay as relays
from shared.bus.envelope import Envelope
from shared.bus.event import Event
from shared.bus.reconcile import Connection, Placed
from shared.errors import UnavailableError
from shared.ids import new_id
from shared.work import Work
from tests.support.kernel import ME, TOPIC, Kernel, open_kernel

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]


class Poked(Event, type="kept.customers.kernel.poked.v1"):
    """An event for these tests alone."""

    n: int


kernel = pytest.fixture(open_kernel)


async def _until(true: Callable[[], object], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = true()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


async def _stop(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_events_arrive_once_and_in_order_per_key(kernel: Kernel) -> None:
    subjects = [new_id("sub") for _ in range(3)]
    seen: dict[str, list[int]] = {one: [] for one in subjects}
    handlers = await kernel.handlers()

    @handlers.on(Poked)
    async def poked(w: Work, event: Poked, envelope: Envelope) -> None:
        if envelope.subject in seen:
            seen[envelope.subject].append(event.n)

    async def poke(n: int) -> None:
        for subject in subjects:
            async with kernel.door.begin(ME) as w:
                w.publish(Poked(subject=subject, n=n))

    tasks = [asyncio.create_task(handlers.run()), asyncio.create_task(kernel.relay().run())]
    try:
        for n in range(20):
            await poke(n)
        await _until(lambda: all(len(one) == 20 for one in seen.values()))
        assert all(one == list(range(20)) for one in seen.values())
        assert await kernel.count("outbox WHERE published_at IS NULL") == 0
    finally:
        await _stop(*tasks)


async def test_what_commits_late_goes_before_the_same_persons_next(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long transaction has its ids early and commits while the relay is beyond them; then the person's next event is there,
    before the relay looks again."""
    late, real, marked = new_id("sub"), relays.mark_sent, 0
    beyond, committed = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(relays, "BATCH_ROWS", 1)

    async def poke(subject: str, n: int) -> None:
        async with kernel.door.begin(ME) as w:
            w.publish(Poked(subject=subject, n=n))

    async def mark_sent(raw: Connection, placed: Sequence[Placed]) -> None:
        nonlocal marked
        await real(raw, placed)
        marked += 1
        if marked == 2:  # two strangers' events are sent, or on their way
            beyond.set()
            await committed.wait()

    async def all_sent() -> bool:
        return await kernel.count("outbox WHERE published_at IS NULL") == 0

    monkeypatch.setattr(relays, "mark_sent", mark_sent)
    relaying = asyncio.create_task(kernel.relay().run())
    try:
        async with kernel.door.begin(ME) as importing:
            await importing.tell_first([Poked(subject=late, n=1)])
            for n in range(3):
                await poke(new_id("sub"), n)
            await asyncio.wait_for(beyond.wait(), 120)
        await poke(late, 2)
        committed.set()
        await _until(all_sent)
    finally:
        await _stop(relaying)
    async with kernel.engine.connect() as connection:
        query = text('SELECT ce_id, "offset" FROM outbox WHERE key = :late ORDER BY id')
        places = [one.offset for one in await connection.execute(query, {"late": late})]
    assert places == sorted(places) and len(places) == 2


async def test_what_rolls_back_is_never_published(kernel: Kernel) -> None:
    with pytest.raises(RuntimeError):
        async with kernel.door.begin(ME) as w:
            w.publish(Poked(subject=new_id("sub"), n=1))
            raise RuntimeError
    assert await kernel.count("outbox") == 0


async def test_a_failing_handler_ends_in_the_dead_letters_and_can_be_replayed(kernel: Kernel) -> None:
    subject, other = new_id("sub"), new_id("sub")
    broken, handled = True, []
    handlers = await kernel.handlers()

    @handlers.on(Poked)
    async def poked(w: Work, event: Poked, envelope: Envelope) -> None:
        if envelope.subject not in (subject, other):
            return
        if envelope.subject == subject and broken:
            raise ValueError("someone@example.org")
        handled.append(envelope.subject)

    tasks = [asyncio.create_task(handlers.run()), asyncio.create_task(kernel.relay().run())]
    try:
        async with kernel.door.begin(ME) as w:
            ce_id = w.publish(Poked(subject=subject, n=1))
            w.publish(Poked(subject=other, n=1))
        await _until(lambda: other in handled, 40)

        async def buried() -> list[dlq.Letter]:
            return [one for one in await dlq.letters(kernel.broker, "customers") if one.id == ce_id]

        await _until(buried, 40)
        letter = (await buried())[0]
        assert letter.reason == "ValueError" and letter.tries == 5 and letter.origin.startswith(TOPIC)
        assert "example" not in str(letter)
        broken = False
        assert await dlq.replay(kernel.broker, "customers", [letter.position]) == 1
        await _until(lambda: subject in handled)
    finally:
        await _stop(*tasks)


async def test_a_part_that_is_away_only_delays(kernel: Kernel) -> None:
    subject, tries = new_id("sub"), 0
    handlers = await kernel.handlers()

    @handlers.on(Poked)
    async def poked(w: Work, event: Poked, envelope: Envelope) -> None:
        nonlocal tries
        if envelope.subject == subject:
            tries += 1
            if tries < 4:
                raise UnavailableError

    tasks = [asyncio.create_task(handlers.run()), asyncio.create_task(kernel.relay().run())]
    try:
        async with kernel.door.begin(ME) as w:
            ce_id = w.publish(Poked(subject=subject, n=1))
        await _until(lambda: tries == 4)
        await _until(lambda: kernel.count(f"inbox WHERE ce_id = '{ce_id}'"))
        assert not [one for one in await dlq.letters(kernel.broker, "customers") if one.id == ce_id]
    finally:
        await _stop(*tasks)


async def test_malformed_records_never_stop_a_consumer(kernel: Kernel) -> None:
    subject, handled = new_id("sub"), []
    handlers = await kernel.handlers()

    @handlers.on(Poked)
    async def poked(w: Work, event: Poked, envelope: Envelope) -> None:
        handled.append(envelope.subject)

    producer = kernel.broker.producer()
    await producer.start()
    key = subject.encode()
    await producer.send_and_wait(TOPIC, key=key, value=b"\xff not json", headers=[("x", b"\xff\xfe")])
    await producer.send_and_wait(TOPIC, key=key, value=None, headers=[("content-type", b"application/json")])
    await producer.send_and_wait(TOPIC, key=key, value=b"{", headers=[("ce_id", b"\xff"), ("ce_id", b"2")])
    await producer.send_and_wait(TOPIC, key=key, value=b"x" * 900_000)
    await producer.stop()
    tasks = [asyncio.create_task(handlers.run()), asyncio.create_task(kernel.relay().run())]
    try:
        async with kernel.door.begin(ME) as w:
            w.publish(Poked(subject=subject, n=1))
        await _until(lambda: subject in handled)

        async def buried() -> list[str]:
            return [one.reason for one in await dlq.letters(kernel.broker, "customers") if one.key == key]

        await _until(buried)
        assert await buried() == ["malformed"] * 4
    finally:
        await _stop(*tasks)


async def test_a_crash_between_ack_and_mark_sends_nothing_twice(kernel: Kernel) -> None:
    subject = new_id("sub")
    async with kernel.door.begin(ME) as w:
        ids = [w.publish(Poked(subject=subject, n=n)) for n in range(5)]
    relay = asyncio.create_task(kernel.relay().run())
    await _until(lambda: _none_waiting(kernel))
    await _stop(relay)
    async with kernel.engine.begin() as connection:  # as if the relay had died before it marked the last three
        await connection.execute(
            text('UPDATE outbox SET published_at = NULL, partition = NULL, "offset" = NULL WHERE ce_id = ANY(:ids)'),
            {"ids": ids[2:]},
        )
    relay = asyncio.create_task(kernel.relay().run())
    await _until(lambda: _none_waiting(kernel))
    await _stop(relay)
    reader = kernel.broker.consumer(TOPIC, auto_offset_reset="earliest")
    await reader.start()
    found = []
    ends = await reader.end_offsets(sorted(reader.assignment()))
    for part, end in ends.items():
        while await reader.position(part) < end:
            found += [dict(r.headers).get("ce_id") for r in (await reader.getmany(part, timeout_ms=500)).get(part, [])]
    await reader.stop()
    assert [one for one in found if one in {i.encode() for i in ids}] == [i.encode() for i in ids]


async def _none_waiting(kernel: Kernel) -> bool:
    return await kernel.count("outbox WHERE published_at IS NULL") == 0


async def test_transaction_publishing_and_handling_are_one_trace(kernel: Kernel) -> None:
    provider, spans = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    subject, done = new_id("sub"), asyncio.Event()
    handlers = await kernel.handlers()

    @handlers.on(Poked)
    async def poked(w: Work, event: Poked, envelope: Envelope) -> None:
        if envelope.subject == subject:
            done.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
        with telemetry.span("request") as root:
            async with kernel.door.begin(ME) as w:
                w.publish(Poked(subject=subject, n=1))
        tasks = [asyncio.create_task(handlers.run()), asyncio.create_task(kernel.relay().run())]
        try:
            await asyncio.wait_for(done.wait(), 20)
            await asyncio.sleep(0.5)
        finally:
            await _stop(*tasks)
    trace_id = root.get_span_context().trace_id
    mine = [one for one in spans.get_finished_spans() if one.context and one.context.trace_id == trace_id]
    assert {one.name for one in mine} == {
        "request",
        "customers transaction",
        "kept.customers publish",
        "kept.customers.kernel.poked.v1 handle",
    }
    assert sum(one.name == "customers transaction" for one in mine) == 2
    assert subject not in str([one.to_json() for one in mine])
