"""What the broker has already, though the outbox does not know it: the relay died (or lost the broker) between an
acknowledgement and its mark. Found by reading each topic's end from the last offset that the outbox remembers, so that
nothing is sent twice.

What remains: a request still on its way to the broker when its sender died could be appended after this looked. The
relay starts later than that by a process start or a back-off; receivers know each event by its id in any case.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

log = logging.getLogger(__name__)

Connection = psycopg.AsyncConnection[Any]

_MARK = """
UPDATE outbox SET published_at = now(), partition = placed.partition, "offset" = placed.at
FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS placed (ce_id, partition, at) WHERE outbox.ce_id = placed.ce_id
"""


class Placed(NamedTuple):
    """Where the broker put an event."""

    ce_id: str
    partition: int
    offset: int


async def mark(connection: Connection, placed: Sequence[Placed]) -> None:
    """Remember that these are published, and where."""
    if placed:
        columns = [list(one) for one in zip(*placed, strict=True)]
        await connection.execute(_MARK, columns)


async def reconcile(connection: Connection, consumer: Callable[..., AIOKafkaConsumer]) -> int:
    """Mark the rows that the broker already has; how many. A crash here changes nothing."""
    rows = await (await connection.execute("SELECT topic, ce_id FROM outbox WHERE published_at IS NULL")).fetchall()
    waiting: dict[str, set[bytes]] = {}
    for topic, ce_id in rows:
        waiting.setdefault(topic, set()).add(ce_id.encode())
    found: list[Placed] = []
    for topic, ids in waiting.items():
        reader = consumer(topic, auto_offset_reset="earliest")
        try:
            await reader.start()
            found += await _tail(reader, await _known(connection, topic), ids)
        except TopicAuthorizationFailedError:
            log.error("may not read %s: after a crash an event could be sent twice", topic)
        finally:
            await reader.stop()
    await mark(connection, found)
    return len(found)


async def _known(connection: Connection, topic: str) -> dict[int, int]:
    """The last offset of each partition that the outbox remembers."""
    query = 'SELECT partition, max("offset") FROM outbox WHERE topic = %s AND partition IS NOT NULL GROUP BY partition'
    return dict(await (await connection.execute(query, [topic])).fetchall())


async def _tail(reader: AIOKafkaConsumer, known: dict[int, int], ids: set[bytes]) -> list[Placed]:
    parts: list[TopicPartition] = sorted(reader.assignment())
    if not parts:
        return []
    starts, ends = await reader.beginning_offsets(parts), await reader.end_offsets(parts)
    found: list[Placed] = []
    for part in parts:
        # A topic made anew ends before what we remember: then everything in it is looked at.
        after = known.get(part.partition, -1) + 1
        reader.seek(part, after if starts[part] <= after <= ends[part] else starts[part])
        while await reader.position(part) < ends[part]:
            for record in (await reader.getmany(part, timeout_ms=500)).get(part, []):
                ce_id = dict(record.headers).get("ce_id", b"")
                if ce_id in ids:
                    found.append(Placed(ce_id.decode(), part.partition, record.offset))
    return found
