"""Where a broker's history parts from the log's: a topic that was made anew shares nothing with it, one whose broker lost its
last records shares all that is left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from aiokafka import TopicPartition

from services.audit.log import paths
from services.audit.log.head import HeadState
from services.audit.log.sequence import Received, is_of
from services.audit.log.store import ShardStore
from shared.bus.broker import BrokerSettings
from shared.bus.kafka.fetch_by_id import FetchById
from shared.errors import KeptError, UnavailableError
from shared.timeouts import closed, within

ANSWER_SECONDS_MAX = 15.0
RECORD_SECONDS_MAX = 5.0  # a record that the broker has comes at once; where it has none, nothing comes
Probe = Callable[[int], Awaitable[Received | None]]  # offset -> the broker's first record from there on
Leaf = Callable[[int], bytes]  # offset -> the whole entry that the log has there


async def parted(probe: Probe, leaf: Leaf, head: HeadState, start: int, end: int) -> int:
    """The first offset at which the broker, which has the records [start, end), may have another one than the log.

    Only what was compared and found the same is passed over, so that no record can be left out; records before it are the
    same, since a broker appends. About log2(end - start) probes.
    """
    if start < head.base and head.generation == 1:  # these records the log never had
        return start
    low = max(start, head.base)
    same, high = low, min(end, head.next_offset)  # [low, same) is the same, from `high` on it is not
    while same < high:
        middle = (same + high) // 2
        record = await probe(middle)
        if record is not None and record.offset < high and await _is_leaf(record, leaf, head):
            same = record.offset + 1
        else:
            high = middle
    return start if same == low else same


def goes_on(head: HeadState, start: int, base: int) -> bool:
    """Whether a broker whose first record is `start`, and whose history parts from the log's at `base`, has everything that the
    log has up to its end, which was compared; or the log has nothing, and nothing that the broker has is before it."""
    return base == head.next_offset and (base > start or not head.size)


async def _is_leaf(record: Received, leaf: Leaf, head: HeadState) -> bool:
    try:
        raw = await asyncio.to_thread(leaf, record.offset)
    except KeptError:  # a file of the old generation is gone or damaged: no reason for the next one not to begin
        return False
    return is_of(raw, head.topic, head.partition, record)


def leaves(store: ShardStore, head: HeadState) -> Leaf:
    """The log's own entries."""

    def leaf(offset: int) -> bytes:
        n, i = divmod(offset - head.base, paths.WIDTH)
        return store.whole(store.entries(n, head.size)[i])

    return leaf


@asynccontextmanager
async def probing(broker: BrokerSettings, partition: TopicPartition, topic_id: UUID | None) -> AsyncIterator[Probe]:
    """Asks the broker, through a client of its own: the one that reads must not lose its place. UnavailableError where the
    topic has another id by now, or a part of the broker has not heard of it yet: that is no word about its records."""
    consumer = broker.consumer(auto_offset_reset="none")
    fetch = FetchById(consumer, lambda: {partition: topic_id})

    async def probe(offset: int) -> Received | None:
        consumer.seek(partition, offset)
        found = await consumer.getmany(partition, timeout_ms=int(RECORD_SECONDS_MAX * 1000), max_records=1)
        if not found and fetch.refused(partition):
            raise UnavailableError("the broker does not know the topic by the id that it said")
        return next((record for records in found.values() for record in records), None)

    try:
        await within(ANSWER_SECONDS_MAX, consumer.start())
        consumer.assign([partition])
        yield probe
    finally:
        await closed(consumer.stop())
