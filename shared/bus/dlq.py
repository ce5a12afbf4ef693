"""Dead letters: records that a service could not handle, on its own topic `kept.<service>.dlq`.

A dead letter is the record as it came (key, value, headers) plus headers that say where it came from and why it died.
Replaying puts it on the same topic once more, marked; the service reads its own dead letters and handles the marked
ones, so no other right than on that topic is needed. `kept dlq list|show|replay` call `letters` and `replay`.
"""

import hashlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.bus.broker import BrokerSettings
from shared.bus.envelope import Record, Wire
from shared.bus.inbox import Given
from shared.errors import NotFoundError, UnavailableError
from shared.timeouts import closed, within

log = logging.getLogger(__name__)
REASON, TRIED, TOPIC, PARTITION, OFFSET = (
    "kept-dlq-reason",
    "kept-dlq-tries",
    "kept-dlq-topic",
    "kept-dlq-partition",
    "kept-dlq-offset",
)
CUT, REPLAY = "kept-dlq-cut-sha256", "kept-dlq-replay"
_OURS = {REASON, TRIED, TOPIC, PARTITION, OFFSET, CUT, REPLAY}
READ_SECONDS = 20.0
LETTERS_MAX = 10_000  # the newest: more than anyone handles by hand; kept in memory while listed, without their values


def topic_of(service: str) -> str:
    """The dead letters' topic of a service."""
    return f"kept.{service}.dlq"


class Consumed(Wire, Protocol):
    """A record with the place that it came from, as a Kafka client presents it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...


@dataclass(frozen=True)
class Letter:
    """One dead letter, as far as it may be shown. `position` (`<partition>-<offset>` on the dead letters' topic) is how
    people name it."""

    position: str
    reason: str
    tries: int
    origin: str
    id: str
    type: str
    key: bytes | None
    bytes: int
    replayed: bool


def bury(service: str, record: Consumed, given: Given) -> Record:
    """The dead letter for a consumed record."""
    return Record(
        topic=topic_of(service),
        key=record.key,
        headers=(
            *((_name(name), value) for name, value in record.headers if name not in _OURS),
            (REASON, given.reason.encode()),
            (TRIED, str(given.tries).encode()),
            *_origin(service, record),
        ),
        value=record.value if record.value is not None or record.key is not None else b"",
    )


def _name(name: str) -> str:
    """A header's name that a producer takes: bytes that are no UTF-8 are spelled out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _origin(service: str, record: Consumed) -> tuple[tuple[str, bytes], ...]:
    """Where the record first came from: a replayed letter that dies again keeps its first origin."""
    known = {name: value for name, value in record.headers if name in (TOPIC, PARTITION, OFFSET)}
    if is_replay(service, record) and len(known) == 3:
        return tuple(known.items())
    return (
        (TOPIC, record.topic.encode()),
        (PARTITION, str(record.partition).encode()),
        (OFFSET, str(record.offset).encode()),
    )


def cut(letter: Record) -> Record:
    """The letter without its value, for one too large to bury whole; its hash and origin say what it was."""
    digest = hashlib.sha256(letter.value or b"").hexdigest().encode()
    ours = tuple((name, value) for name, value in letter.headers if name in _OURS)
    return Record(letter.topic, None, (*ours, (CUT, digest)), b"")


def _away(why: Exception) -> UnavailableError:
    log.warning("kafka: %s", type(why).__name__)
    return UnavailableError("the broker does not answer")


async def send(producer: AIOKafkaProducer, letter: Record) -> None:
    """Send and wait for the acknowledgement; a letter over the broker's limit is cut. UnavailableError."""
    try:
        try:
            await _send(producer, letter)
        except MessageSizeTooLargeError:
            await _send(producer, cut(letter))
    except (KafkaError, OSError) as why:
        raise _away(why) from None


async def _send(producer: AIOKafkaProducer, one: Record) -> None:
    await producer.send_and_wait(one.topic, key=one.key, value=one.value, headers=list(one.headers))


def is_replay(service: str, record: Consumed) -> bool:
    """Whether this is a dead letter of `service` that asks to be handled once more. The mark counts on the service's
    own topic alone: on another topic anyone who may write there could set it."""
    return record.topic == topic_of(service) and REPLAY in dict(record.headers)


def origin_topic(service: str, record: Consumed) -> str:
    """The topic a record counts as coming from."""
    origin = dict(record.headers).get(TOPIC)
    return origin.decode(errors="replace") if origin and is_replay(service, record) else str(record.topic)


async def letters(broker: BrokerSettings, service: str) -> list[Letter]:
    """The newest LETTERS_MAX dead letters of a service, by partition and age. UnavailableError."""
    found: list[Letter] = []
    replayed: set[str] = set()
    async with _reader(broker, service) as consumer:
        for part in sorted(consumer.assignment()):
            end = (await consumer.end_offsets([part]))[part]
            start = (await consumer.beginning_offsets([part]))[part]
            async for one in _between(consumer, part, max(start, end - LETTERS_MAX), end):
                mark = dict(one.headers).get(REPLAY)
                if mark is None:
                    found.append(_letter(one))
                else:  # not a letter, but the wish that one be handled again
                    replayed.add(mark.decode(errors="replace"))
    return [replace(one, replayed=one.position in replayed) for one in found[-LETTERS_MAX:]]


@asynccontextmanager
async def _reader(broker: BrokerSettings, service: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = broker.consumer(topic_of(service), auto_offset_reset="earliest")
    try:
        await within(READ_SECONDS, consumer.start())
        yield consumer
    except (KafkaError, OSError) as why:  # a TimeoutError is an OSError
        raise _away(why) from None
    finally:
        await closed(consumer.stop())


async def _between(consumer: AIOKafkaConsumer, part: TopicPartition, start: int, end: int) -> AsyncIterator[Consumed]:
    consumer.seek(part, start)
    heard = time.monotonic()
    while await consumer.position(part) < end:
        batch = (await within(READ_SECONDS, consumer.getmany(part, timeout_ms=500))).get(part, [])
        for one in batch:
            if one.offset < end:
                yield one
        if batch:
            heard = time.monotonic()
        elif time.monotonic() - heard > READ_SECONDS:
            raise TimeoutError


def _letter(record: Consumed) -> Letter:
    headers = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
    tries = headers.get(TRIED, "")
    return Letter(
        position=f"{record.partition}-{record.offset}",
        reason=headers.get(REASON, ""),
        tries=int(tries) if tries.isascii() and tries.isdigit() else 0,
        origin="/".join(headers.get(name, "?") for name in (TOPIC, PARTITION, OFFSET)),
        id=headers.get("ce_id", ""),
        type=headers.get("ce_type", ""),
        key=record.key,
        bytes=len(record.value or b""),
        replayed=False,
    )


async def show(broker: BrokerSettings, service: str, position: str) -> Letter:
    """One letter. NotFoundError."""
    for letter in await letters(broker, service):
        if letter.position == position:
            return letter
    raise NotFoundError("no such dead letter")


async def replay(broker: BrokerSettings, service: str, positions: Sequence[str]) -> int:
    """Hand these letters (all that were never replayed, if none is named) to the service again; how many."""
    found = await letters(broker, service)
    chosen = [one for one in found if (one.position in positions if positions else not one.replayed)]
    if positions and len(chosen) != len(set(positions)):
        raise NotFoundError("no such dead letter")
    producer = broker.producer()
    try:
        await within(READ_SECONDS, producer.start())
        async with _reader(broker, service) as consumer:
            for one in chosen:
                partition, offset = (int(number) for number in one.position.split("-"))
                async for record in _between(consumer, TopicPartition(topic_of(service), partition), offset, offset + 1):
                    headers = (*((n, v) for n, v in record.headers if n != REPLAY), (REPLAY, one.position.encode()))
                    await send(producer, Record(topic_of(service), record.key, headers, record.value))
    except (KafkaError, OSError) as why:
        raise _away(why) from None
    finally:
        await closed(producer.stop())
    return len(chosen)
