"""One batch of the outbox on its way to the broker: what was acknowledged, what was not, and what its topic's fault is."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.partitioner import murmur2
from opentelemetry.trace import SpanKind

from shared import telemetry
from shared.bus.kafka.producer import BatchBuilder
from shared.bus.reconcile import Placed
from shared.errors import UnavailableError, described
from shared.loops.forever import health

AT_ONCE = 200  # records that are packed before others of the process have their turn: some milliseconds
BEAT_SECONDS = 1.0  # how often, while the broker is silent, the database is asked whether the lock is still ours
SILENCE_SECONDS_MAX = 120.0  # then the client is taken for stuck, and another one tries

KEYS_MAX = 16_384  # whose hash is kept: two megabytes; to compute one takes as long as all else that is done for a record

# What the broker refuses of one topic for good reasons of that topic: the others go on.
TOPIC_FAULTS = (
    UnknownTopicOrPartitionError,
    TopicAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)


class Pending(NamedTuple):
    """One row to send."""

    ce_id: str
    topic: str
    key: str
    headers: list[list[str]]
    value: bytes
    id: int = 0  # of the row
    age: float = 0.0  # seconds since its transaction, when it was fetched


class Sent(NamedTuple):
    """`done`: acknowledged, and nothing earlier of their key is missing. `error`: the first that is not a topic's own.
    `faults`: topic -> what the broker has against it."""

    done: list[Placed]
    error: Exception | None
    faults: dict[str, str]


@dataclass
class Part:
    """What goes to one partition, packet by packet; what of it arrived."""

    topic: str
    partition: int
    packets: list[tuple[BatchBuilder, list[Pending]]] = field(default_factory=list)
    done: list[Placed] = field(default_factory=list)


async def send(producer: AIOKafkaProducer, rows: Sequence[Pending], beat: Callable[[], Awaitable[object]]) -> Sent:
    """Send all, then wait for all. After a failure only those of its partition are done that came before: the others go again,
    in order. A row that is no record (somebody changed the table) is a fault of its topic. `beat` raises when this must stop:
    another process may be sending now."""
    parts, errors, faults = await _packed(producer, rows)
    tasks = {asyncio.create_task(_deliver(producer, part)): part for part in parts}
    try:
        await _answered([*tasks], beat)
    finally:
        for task in tasks:
            task.cancel()
    errors += [(part.topic, why) for task, part in tasks.items() if (why := _failure(task)) is not None]
    faults |= {topic: type(why).__name__ for topic, why in errors if isinstance(why, TOPIC_FAULTS)}
    done = [placed for part in parts for placed in part.done]
    return Sent(done, next((why for topic, why in errors if topic not in faults), None), faults)


async def _packed(
    producer: AIOKafkaProducer, rows: Sequence[Pending]
) -> tuple[list[Part], list[tuple[str, Exception]], dict[str, str]]:
    """The rows as packets for their partitions, in order; what went wrong with a topic, and what is its own fault. Record by
    record the client would take several times as long: it makes a promise for each, and keeps it."""
    parts: dict[tuple[str, int], Part] = {}
    partitions: dict[str, list[int]] = {}
    errors: list[tuple[str, Exception]] = []
    faults: dict[str, str] = {}
    for n, one in enumerate(rows):
        if n % AT_ONCE == 0:
            await asyncio.sleep(0)
        if one.topic in faults or (one.topic in partitions and not partitions[one.topic]):
            continue  # behind one that is not sent
        try:
            headers, key, span = [(name, value.encode()) for name, value in one.headers], one.key.encode(), _span(one)
        except Exception as why:
            health("relay").items_failed += 1
            faults[one.topic] = described(why)
            continue
        if one.topic not in partitions:
            try:
                partitions[one.topic] = sorted(await producer.partitions_for(one.topic))
            except KafkaError as why:  # no metadata, not permitted
                errors.append((one.topic, why))
                partitions[one.topic] = []
                continue
        numbers = partitions[one.topic]
        number = numbers[_hashed(key) % len(numbers)] if len(numbers) > 1 else numbers[0]
        if (part := parts.get((one.topic, number))) is None:
            part = parts[one.topic, number] = Part(one.topic, number)
        if span is None:
            _add(producer, part, one, key, headers)
            continue
        with span:
            _add(producer, part, one, key, headers)
    return [*parts.values()], errors, faults


@lru_cache(KEYS_MAX)
def _hashed(key: bytes) -> int:
    """As the client's own partitioner: a key stays where it was."""
    return int(murmur2(key)) & 0x7FFFFFFF


def _add(producer: AIOKafkaProducer, part: Part, one: Pending, key: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Into the last packet, or, where that is full, into another. One that is empty takes any record."""
    while True:
        if not part.packets:
            part.packets.append((producer.create_batch(), []))
        packet, rows = part.packets[-1]
        if packet.append(timestamp=None, key=key, value=one.value, headers=headers) is not None:
            rows.append(one)
            return
        part.packets.append((producer.create_batch(), []))


async def _deliver(producer: AIOKafkaProducer, part: Part) -> None:
    """Packet after packet. KafkaError."""
    under_way = []
    for packet, rows in part.packets:
        packet.close()  # whole: it need not linger
        under_way.append((rows, await producer.send_batch(packet, part.topic, partition=part.partition)))
    for rows, promise in under_way:
        first = (await promise).offset
        part.done += [Placed(one.ce_id, one.topic, part.partition, first + n, one.id) for n, one in enumerate(rows)]


async def _answered(futures: Sequence["asyncio.Future[Any]"], beat: Callable[[], Awaitable[object]]) -> None:
    waiting, since = set(futures), time.monotonic()
    while waiting:
        done, waiting = await asyncio.wait(waiting, timeout=BEAT_SECONDS)
        if done:
            since = time.monotonic()
        elif time.monotonic() - since > SILENCE_SECONDS_MAX:
            raise UnavailableError("the broker does not answer")
        if waiting:
            await beat()


def _failure(future: "asyncio.Future[Any]") -> Exception | None:
    if future.cancelled():  # the client of a dead broker gives its promises up this way
        return UnavailableError("the broker's client gave up")
    why = future.exception()
    return why if why is None or isinstance(why, Exception) else UnavailableError("the broker's client was ended")


def _span(one: Pending) -> AbstractContextManager[object] | None:
    """A span in the event's own trace, if anybody hears of it; without the record key, which is somebody's pseudonym."""
    if not telemetry.heard() or (trace := dict(one.headers).get("traceparent")) is None:
        return None
    about: dict[str, str | int] = {"messaging.system": "kafka", "messaging.message.id": one.ce_id}
    return telemetry.span(f"{one.topic} publish", kind=SpanKind.PRODUCER, parent=trace, attributes=about)
