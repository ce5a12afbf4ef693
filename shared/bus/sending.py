"""One batch of the outbox on its way to the broker: what was acknowledged, what was not, and what its topic's fault is."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
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
from opentelemetry.trace import SpanKind

from shared import telemetry
from shared.bus.reconcile import Placed
from shared.errors import UnavailableError

BEAT_SECONDS = 1.0  # how often, while the broker is silent, the database is asked whether the lock is still ours
SILENCE_SECONDS_MAX = 120.0  # then the client is taken for stuck, and another one tries

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


class Sent(NamedTuple):
    """`done`: acknowledged, and nothing earlier of their key is missing. `error`: the first that is not a topic's own.
    `faults`: topic -> what the broker has against it."""

    done: list[Placed]
    error: Exception | None
    faults: dict[str, str]


async def send(producer: AIOKafkaProducer, rows: Sequence[Pending], beat: Callable[[], Awaitable[object]]) -> Sent:
    """Send all, then wait for all. After a failure only those are done whose key has no earlier failure: the others go
    again, in order. `beat` raises when this must stop: another process may be sending now."""
    waiting: list[tuple[Pending, asyncio.Future[Any]]] = []
    errors: list[tuple[str, Exception]] = []
    troubled: set[str] = set()
    for one in rows:
        if one.topic in troubled:
            continue  # behind one that is not sent
        try:
            with _span(one):
                headers = [(name, value.encode()) for name, value in one.headers]
                future = await producer.send(one.topic, key=one.key.encode(), value=one.value, headers=headers)
        except KafkaError as why:  # no metadata, not permitted, too large
            errors.append((one.topic, why))
            troubled.add(one.topic)
        else:
            waiting.append((one, future))
    await _answered([future for _, future in waiting], beat)
    done: list[Placed] = []
    broken: set[tuple[str, str]] = set()
    for one, future in waiting:
        failure = _failure(future)
        if failure is not None:
            errors.append((one.topic, failure))
            broken.add((one.topic, one.key))
        elif (one.topic, one.key) not in broken:
            answer = future.result()
            done.append(Placed(one.ce_id, one.topic, answer.partition, answer.offset))
    faults = {topic: type(why).__name__ for topic, why in errors if isinstance(why, TOPIC_FAULTS)}
    return Sent(done, next((why for topic, why in errors if topic not in faults), None), faults)


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


def _span(one: Pending) -> AbstractContextManager[object]:
    """A span in the event's own trace; without the record key, which is somebody's pseudonym."""
    trace = dict(one.headers).get("traceparent")
    if trace is None:
        return nullcontext()
    about: dict[str, str | int] = {"messaging.system": "kafka", "messaging.message.id": one.ce_id}
    return telemetry.span(f"{one.topic} publish", kind=SpanKind.PRODUCER, parent=trace, attributes=about)
