"""What the broker has, against what the outbox remembers; asked at every start of the relay.

`reconcile`: what the broker has already, though the outbox does not know it: the relay died (or lost the broker) between an
acknowledgement and its mark. Found by reading each topic's end from the last offset that the outbox remembers, so that
nothing is sent twice. `recover`: what the broker had and has no more (it was in memory only, or the power went): that waits
to be sent again. Receivers know each event by its id.

What remains: a request still on its way to the broker when its sender died could be appended after this looked. The
relay starts later than that by a process start or a back-off, and looks until the topic's end stays where it is.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import psycopg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from shared.errors import UnavailableError
from shared.timeouts import closed, within

LOOKS_MAX = 10  # at an end that others keep moving
LOOK_SECONDS = 0.3  # between two looks
ANSWER_SECONDS_MAX = 60.0  # for one answer of a broker that was just started

log = logging.getLogger(__name__)

Connection = psycopg.AsyncConnection[Any]
Consumer = Callable[..., AIOKafkaConsumer]
Known = dict[int, tuple[int, str]]  # partition -> last offset that the outbox remembers, and whose it is

_MARK = """
UPDATE outbox SET published_at = now(), partition = placed.partition, "offset" = placed.at
FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS placed (ce_id, partition, at)
WHERE outbox.ce_id = placed.ce_id AND outbox.published_at IS NULL
"""
_MARK_SENT = """
UPDATE outbox SET published_at = now(), partition = placed.partition, "offset" = placed.at
FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS placed (id, partition, at)
WHERE outbox.id = placed.id AND outbox.published_at IS NULL
"""
_WAITING = "SELECT DISTINCT topic FROM outbox WHERE published_at IS NULL"
_KNOWN = """
SELECT DISTINCT ON (topic, partition) topic, partition, "offset", ce_id FROM outbox
WHERE partition IS NOT NULL ORDER BY topic, partition, "offset" DESC
"""
_UNMARK = """
UPDATE outbox SET published_at = NULL, partition = NULL, "offset" = NULL
WHERE topic = %s AND partition = %s AND ce_id <> ALL(%s::text[])
"""


class Placed(NamedTuple):
    """Where the broker put an event; which row it was, where that is known."""

    ce_id: str
    topic: str
    partition: int
    offset: int
    id: int = 0


async def mark(connection: Connection, placed: Sequence[Placed]) -> int:
    """Remember that these are published, and where; how many of them are ours and were not marked yet."""
    if not placed:
        return 0
    columns = [[one.ce_id for one in placed], [one.partition for one in placed], [one.offset for one in placed]]
    return (await connection.execute(_MARK, columns)).rowcount


async def mark_sent(connection: Connection, placed: Sequence[Placed]) -> None:
    """The same of rows that this process sent. The numbers go as text: to write arrays of them takes the driver long."""
    if placed:
        columns = ([one.id for one in placed], [one.partition for one in placed], [one.offset for one in placed])
        await connection.execute(_MARK_SENT, [f"{{{','.join(map(str, column))}}}" for column in columns])


async def reconcile(connection: Connection, consumer: Consumer) -> int:
    """1. What the broker lost waits again. 2. What it has is marked; how many. A crash here changes nothing."""
    known = await _known(connection)
    for topic, ends in known.items():
        async with _reader(consumer, topic) as reader:
            if reader is not None:
                await _recover(connection, reader, topic, ends)
    found = 0
    known = await _known(connection)
    for (topic,) in await (await connection.execute(_WAITING)).fetchall():
        async with _reader(consumer, topic) as reader:
            if reader is not None:
                found += await _tail(connection, reader, known.get(topic, {}))
    return found


async def _known(connection: Connection) -> dict[str, Known]:
    known: dict[str, Known] = {}
    for topic, partition, offset, ce_id in await (await connection.execute(_KNOWN)).fetchall():
        known.setdefault(topic, {})[partition] = (offset, ce_id)
    return known


@asynccontextmanager
async def _reader(consumer: Consumer, topic: str) -> AsyncIterator[AIOKafkaConsumer | None]:
    """A reader of all of `topic`; None where there is none to be had: sending will say why, loudly."""
    reader = consumer(topic, auto_offset_reset="earliest")
    try:
        try:
            await within(ANSWER_SECONDS_MAX, reader.start())
        except (TopicAuthorizationFailedError, UnknownTopicOrPartitionError) as why:
            log.error("may not read %s (%s): after a crash an event could be sent twice", topic, type(why).__name__)
            yield None
            return
        yield reader if reader.assignment() else None
    finally:
        await closed(reader.stop())


async def _tail(connection: Connection, reader: AIOKafkaConsumer, known: Known) -> int:
    """Mark what stands behind the last offset that the outbox remembers, until the end stays where it is."""
    parts: list[TopicPartition] = sorted(reader.assignment())
    starts = await _starts(reader, parts)
    for part in parts:
        reader.seek(part, max(known.get(part.partition, (-1, ""))[0] + 1, starts[part]))
    found = 0
    for look in range(LOOKS_MAX):
        ends = await _ends(reader, parts)
        moved = False
        for part in parts:
            async for records in _records(reader, part, ends[part]):
                moved = True
                found += await mark(connection, [_placed(one) for one in records])
        if look and not moved:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return found


async def _recover(connection: Connection, reader: AIOKafkaConsumer, topic: str, known: Known) -> None:
    """The record at the last offset that the outbox remembers must be ours; where it is not, the broker lost what it had
    acknowledged, and whatever of ours it has no more waits to be sent again."""
    for part in sorted(reader.assignment()):
        if part.partition not in known:
            continue
        offset, ce_id = known[part.partition]
        start, end = (await _starts(reader, [part]))[part], (await _ends(reader, [part]))[part]
        if start > offset:
            continue  # the topic keeps its records for a time only: this one went as it should
        if offset < end and await _id_at(reader, part, offset) == ce_id:
            continue
        had: set[str] = set()  # in memory, for this is as rare as a power cut
        reader.seek(part, start)
        async for records in _records(reader, part, end):
            had.update(_id(one) for one in records)
        lost = (await connection.execute(_UNMARK, (topic, part.partition, list(had)))).rowcount
        log.error("%s/%d: the broker lost %d events that it had acknowledged; sending them again", topic, part.partition, lost)


async def _id_at(reader: AIOKafkaConsumer, part: TopicPartition, offset: int) -> str:
    reader.seek(part, offset)
    async for records in _records(reader, part, offset + 1):
        return _id(records[0]) if records[0].offset == offset else ""
    return ""


async def _starts(reader: AIOKafkaConsumer, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
    return await within(ANSWER_SECONDS_MAX, reader.beginning_offsets(parts))


async def _ends(reader: AIOKafkaConsumer, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
    return await within(ANSWER_SECONDS_MAX, reader.end_offsets(parts))


async def _records(
    reader: AIOKafkaConsumer, part: TopicPartition, end: int
) -> "AsyncIterator[list[ConsumerRecord[bytes, bytes]]]":
    """What lies between the reader's position and `end`, batch by batch. UnavailableError when the broker says no more."""
    heard = time.monotonic()
    while await within(ANSWER_SECONDS_MAX, reader.position(part)) < end:
        batches = await within(ANSWER_SECONDS_MAX, reader.getmany(part, timeout_ms=500))
        if records := batches.get(part, []):
            heard = time.monotonic()
            yield records
        elif time.monotonic() - heard > ANSWER_SECONDS_MAX:
            raise UnavailableError("the broker does not answer")


def _id(record: "ConsumerRecord[bytes, bytes]") -> str:
    raw = next((value for name, value in record.headers if name == "ce_id" and value is not None), b"")
    return raw.decode(errors="replace").replace("\0", "")  # foreign records may hold anything; the database takes no NUL


def _placed(record: "ConsumerRecord[bytes, bytes]") -> Placed:
    return Placed(_id(record), record.topic, record.partition, record.offset)
