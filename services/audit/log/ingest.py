"""Kafka -> the log. The log is its own offset store: on start each shard says how far it is, and reading goes on from there.

Every topic that matches the pattern is read, new ones within DISCOVER_SECONDS. A record is never skipped, and none stops the
log. While one batch is written and published, the next one is received and sequenced.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.audit.events import AlarmRaised
from services.audit.log.opening import Opener
from services.audit.log.partitions import AGAIN_SECONDS, ANSWER_SECONDS_MAX, AWAY, LEAVES_MAX, Partitions
from services.audit.log.publishing import Publisher
from services.audit.log.sealer import Sealer
from services.audit.log.sequence import Ciphers, Part, Received, sequenced
from services.audit.log.shard import Batch, Shard, append_all
from services.audit.log.slots import WHOLE, Slot
from services.audit.log.stream import Stream
from services.audit.log.watch import Watch
from services.audit.log.witnesses import Witnesses
from shared.bus.broker import BrokerSettings
from shared.bus.kafka import Admin
from shared.bus.kafka.fetch_by_id import FetchById
from shared.bus.kafka.records import as_they_came
from shared.errors import UnavailableError
from shared.loops.aside import InMemory, Memory
from shared.loops.forever import forever, health
from shared.loops.items import Items
from shared.timeouts import closed, within
from shared.work import Door

P = TypeVar("P")
T = TypeVar("T")
LOOP = "ingest"
log = logging.getLogger("kept.audit.ingest")
RECORDS_MAX = 7_000  # in one batch, over all partitions: fewer take more work each, more take more memory than is meant
BATCH_BYTES_MAX = 8 * 1024 * 1024  # of values in one batch; there may be two at a time, and a third on its way from the broker
PARTITION_BYTES_MAX = 2 * 1024 * 1024  # of one partition in one answer of the broker: more than its largest record
FILL_SECONDS = 0.2  # how long a batch fills after its first record: bounds publications, and so partial tiles
TRICKLE_RECORDS, TRICKLE_SECONDS = 500, 0.1  # where so few came at once, the broker is not asked again for each few more
POLL_SECONDS = 0.25
DISCOVER_SECONDS = 1.0
PAUSE_SECONDS = 1.0
STALL_SECONDS_MAX = 20.0  # signing by a slow Vault takes five
Batches = dict[TopicPartition, list[Received]]


class Ingest:
    """`run()` for ever as a task. `published` is called after new checkpoints."""

    def __init__(
        self,
        *,
        pattern: str,
        opener: Opener,
        sealer: Sealer,
        broker: BrokerSettings,
        published: Callable[[], None],
        slot: Slot = WHOLE,
        witnesses: Witnesses | None = None,
        aside: Memory | Door | None = None,
    ) -> None:
        """`aside`: where it is kept which partitions are set aside. With `witnesses`, `opener` defers publication: that happens
        in rounds beside the writing (publishing.py)."""
        self._watch = Watch(STALL_SECONDS_MAX)
        items = Items(LOOP, aside or InMemory(), again=AGAIN_SECONDS)
        self._partitions = Partitions(pattern, slot, opener, broker, self._watch.beat, items)
        self._sealer = sealer
        self._broker = broker
        self._published = published
        self._witnesses = witnesses
        self._publisher = witnesses and Publisher(witnesses, self._partitions.shards, self._dropped, published)
        self.behind: dict[str, int] = {}  # shard -> records that the broker has and the published log has not
        self.ready = False

    @property
    def faults(self) -> dict[str, str]:
        """Partition -> code of what stopped it, or `set-aside` where it is tried again."""
        return {**dict.fromkeys(self._partitions.aside, "set-aside"), **self._partitions.faults}

    @property
    def unwitnessed(self) -> dict[str, int]:
        """Shard -> leaves that no published checkpoint with its quorum of witnesses has, where that is missing."""
        return self._publisher.unwitnessed if self._publisher else {}

    @property
    def witnesses(self) -> dict[str, str]:
        """Name -> what this witness does."""
        return self._witnesses.states if self._witnesses else {}

    async def run(self) -> None:
        """Until cancelled: while this process has the slot."""
        self._partitions.begin()
        self.behind.clear()
        await forever(LOOP, self._connected, every=PAUSE_SECONDS, pause_max=PAUSE_SECONDS, expected=AWAY)

    async def _connected(self) -> None:
        consumer = self._broker.consumer(
            auto_offset_reset="none",
            value_deserializer=as_they_came,
            max_partition_fetch_bytes=PARTITION_BYTES_MAX,
            fetch_max_bytes=BATCH_BYTES_MAX,
        )
        FetchById(consumer, self._partitions.reads, self._partitions.diverged)
        admin = self._broker.admin()
        try:
            await within(ANSWER_SECONDS_MAX, consumer.start())
            await within(ANSWER_SECONDS_MAX, admin.start())
            await self._watch.over(self._consume(consumer, admin))
        finally:
            self.ready = False
            for end in (consumer.stop(), admin.close()):
                await closed(end)

    async def _consume(self, consumer: AIOKafkaConsumer, admin: Admin) -> None:
        """Discover, receive, sequence; meanwhile the former batch is written."""
        self._partitions.forget()
        looked, writing = float("-inf"), None
        publishing = asyncio.ensure_future(self._publisher.run()) if self._publisher else None
        try:
            while True:
                self._watch.beat()
                dropped = len(self._partitions.streams) < len(consumer.assignment())
                if dropped or time.monotonic() - looked > DISCOVER_SECONDS:
                    await self._partitions.discover(consumer, admin)
                    looked = time.monotonic()
                if not self._partitions.known:
                    raise UnavailableError("the broker names no topic yet")  # asked again through a fresh client
                self.ready = True
                if not consumer.assignment():  # every partition is another slot's
                    health(LOOP).well()
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                # What is done with is let go of at once: a batch is tens of megabytes.
                async for work in self._sequence(consumer, await _receive(consumer)):
                    if writing is not None:
                        await self._integrated(await writing)
                    work = {shard: batch for shard, batch in work.items() if self._partitions.has(shard)}
                    writing = asyncio.ensure_future(append_all(work)) if work else None
                    del work
                await self._measure(consumer)
                health(LOOP).well()
        finally:
            for task in (writing, publishing):
                if task is not None:
                    task.cancel()

    async def _sequence(self, consumer: AIOKafkaConsumer, received: Batches) -> AsyncIterator[dict[Shard, Batch]]:
        """What each shard takes next, at least once; more often where a hole is wide."""
        pending: dict[Shard, Iterator[Part]] = {}
        for partition, stream in list(self._partitions.streams.items()):
            if self._partitions.streams.get(partition) is not stream:  # dropped, while another one began anew
                continue
            async with self._partitions.alone(partition):
                parts = await self._parts(consumer, partition, stream, received.pop(partition, []))
                pending |= {stream.shard: parts} if parts else {}
        first = True
        while (some := await self._next(pending)) or first:
            batches, failed = await self._batches(some)
            some.clear()  # what is sequenced is held by nobody while it is written
            await self._dropped(failed)
            pending = {shard: rest for shard, rest in pending.items() if shard not in failed}
            yield batches
            first = False

    async def _next(self, pending: Mapping[Shard, Iterator[Part]]) -> dict[Shard, Part]:
        """Of each shard by itself what comes next; one that fails is dropped, and gives nothing more."""
        found, failed = _each(pending, lambda _, rest: next(rest, None))
        await self._dropped(failed)
        return {shard: part for shard, part in found.items() if part is not None}

    async def _parts(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, stream: Stream, records: list[Received]
    ) -> Iterator[Part] | None:
        if records and not stream.recognised(records[0]):
            await self._partitions.anew(consumer, partition)
        elif records:
            return stream.parts(records, records[-1].offset + 1, LEAVES_MAX)
        elif (consumer.highwater(partition) or 0) > stream.next:  # what the broker passes over in silence is a gap too
            return stream.parts((), await consumer.position(partition), LEAVES_MAX)
        return None

    async def _batches(self, parts: Mapping[Shard, Part]) -> tuple[dict[Shard, Batch], dict[Shard, Exception]]:
        """Of each shard by itself; those in which it could not be done, and why."""
        _, failed = _each(parts, lambda _, part: part.names)
        fit = {shard: part for shard, part in parts.items() if shard not in failed}
        ciphers = await self._sealer.ciphers(fit.items())
        batches, more = await asyncio.to_thread(_each, fit, lambda shard, part: _batch(shard.store.shard, part, ciphers))
        return batches, failed | more

    async def _integrated(self, failed: dict[Shard, Exception]) -> None:
        """A batch is in the log, but for the shards that failed; and published, where no witnesses are waited for."""
        await self._dropped(failed)
        if self._publisher is None:
            self._published()

    async def _dropped(self, failed: Mapping[Shard, Exception]) -> None:
        for shard, error in failed.items():
            await self._partitions.drop(shard, error)

    async def _measure(self, consumer: AIOKafkaConsumer) -> None:
        for partition, stream in list(self._partitions.streams.items()):
            highwater = consumer.highwater(partition)
            if highwater is not None:
                self.behind[stream.shard.store.shard] = behind = max(0, highwater - stream.shard.published_offset)
                if not behind or stream.goes_on:
                    await self._partitions.up_to_date(partition)


async def _receive(consumer: AIOKafkaConsumer) -> Batches:
    """Records, as they come; a batch fills for a while."""
    found: Batches = {}
    count, size, began, wait = 0, 0, 0.0, POLL_SECONDS
    while count < RECORDS_MAX and size < BATCH_BYTES_MAX and wait > 0:
        some = await consumer.getmany(timeout_ms=int(wait * 1000), max_records=RECORDS_MAX - count)
        for partition, records in some.items():
            found.setdefault(partition, []).extend(records)
            count += len(records)
            size += sum([len(record.value or b"") for record in records])
        if not count:
            break
        began = began or time.monotonic()
        if sum(map(len, some.values())) < TRICKLE_RECORDS:
            await asyncio.sleep(TRICKLE_SECONDS)
        wait = began + FILL_SECONDS - time.monotonic()
    return found


def _each(parts: Mapping[Shard, P], act: Callable[[Shard, P], T]) -> tuple[dict[Shard, T], dict[Shard, Exception]]:
    done: dict[Shard, T] = {}
    failed: dict[Shard, Exception] = {}
    for shard, part in parts.items():
        try:
            done[shard] = act(shard, part)
        except Exception as error:
            failed[shard] = error
    return done, failed


def _batch(shard: str, part: Part, ciphers: Ciphers) -> Batch:
    entries, late = sequenced(part, ciphers)
    if not late:
        return Batch(entries)
    log.error("%s: %d records about erased subjects, offset %d to %d", shard, len(late), late[0], late[-1])
    return Batch(entries, [AlarmRaised(kind="late-record", shard=shard, first=late[0], last=late[-1])])
