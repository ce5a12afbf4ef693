"""The partitions that this owner reads: found, opened, dropped, begun once more."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.audit.events import AlarmRaised
from services.audit.log.head import AnotherOwnerError, HeadState
from services.audit.log.opening import Opener
from services.audit.log.sequence import gaps
from services.audit.log.shard import Batch, Shard, append_all
from services.audit.log.slots import Slot
from services.audit.log.stream import Stream
from shared.bus.broker import BrokerSettings
from shared.bus.kafka import Admin
from shared.bus.kafka.fetch_by_id import Reads
from shared.bus.kafka.topic_ids import topics
from shared.errors import KeptError, TamperError, UnavailableError, described
from shared.loops.aside import Aside
from shared.loops.items import Items
from shared.timeouts import within

log = logging.getLogger("kept.audit.ingest")
AWAY = (UnavailableError, KafkaError, OSError)  # broker, store, key service or database: nothing against a partition
AGAIN_SECONDS = 60  # a partition that is set aside is tried again so soon, for ever: nobody need ask for the log to go on
LEAVES_MAX = 50_000  # at once: a hole of millions is filled in steps
# So long must a broker go on saying that it has less than the log, or another topic: one that starts may be behind. What was
# received of the topic that is gone is in the log long before.
DOUBT_SECONDS = 10.0
ANSWER_SECONDS_MAX = 15.0  # a broker that answers no question for so long is asked anew


class Partitions:
    """`streams`: those that are read. `faults`: those that are stopped, and the code of what stopped them. `aside`: those that
    could not be gone on with for something unexpected; they are tried again, and the others go on."""

    def __init__(
        self, pattern: str, slot: Slot, opener: Opener, broker: BrokerSettings, beat: Callable[[], None], items: Items
    ) -> None:
        self.streams: dict[TopicPartition, Stream] = {}
        self.faults: dict[str, str] = {}
        self.aside: dict[str, Aside] = {}
        self._items = items
        self._pattern = re.compile(pattern)
        self.known = 0  # partitions that the broker has, of all slots
        self._slot = slot
        self._opener = opener
        self._broker = broker
        self._beat = beat
        self._ended: dict[TopicPartition, list[Shard]] = {}  # of earlier generations, where they may wait for witnesses
        self._stopped: dict[TopicPartition, str] = {}  # the shard of each that is stopped
        self._diverged: set[TopicPartition] = set()  # the broker has lost records that were read, and has others
        self._doubted: dict[TopicPartition, float] = {}  # since when the broker has less than the log, or another topic

    def begin(self) -> None:
        """The slot is this process's now, maybe once more: what was wrong is told by the store and the database, where another
        process may have seen to it meanwhile."""
        self.forget()
        self.faults.clear()
        self.aside.clear()
        self._stopped.clear()

    def forget(self) -> None:
        """What the client before this one saw. A doubt begins anew too: it counts only if it was asked about all the time."""
        self.streams.clear()
        self._diverged.clear()
        self._doubted.clear()

    def has(self, shard: Shard) -> bool:
        """Whether this very shard is still written here."""
        return any(stream.shard is shard for stream in self.streams.values())

    def shards(self) -> list[Shard]:
        """Those that are written here, and the generations before them."""
        return [*(stream.shard for stream in self.streams.values()), *(one for ended in self._ended.values() for one in ended)]

    async def discover(self, consumer: AIOKafkaConsumer, admin: Admin) -> None:
        """Find new topics and partitions, open their shards, and read on where each shard ends.

        Each question to the broker has its limit, and so has a step that does not beat; all of it together has none: of many
        shards that are opened slowly, each brings the end nearer, and begun anew none ever would."""
        there = await self._there(admin)
        self.known = len(there)
        await self._release()
        self._leave(there)
        new = sorted(p for p in there.keys() - self.streams if self._slot.has(p) and named(p) not in self.faults)
        new = await self._due(new) if new else new
        opened = False
        if new:
            # First of all: what another owner adds meanwhile, the broker has as well when it is asked for its ends.
            heads = dict[TopicPartition, HeadState | None]()
            for partition in new:
                async with self.alone(partition):
                    heads[partition] = await self._head(partition)
            starts = await within(ANSWER_SECONDS_MAX, consumer.beginning_offsets(new))
            ends = await within(ANSWER_SECONDS_MAX, consumer.end_offsets(new))
            still = await self._there(admin)  # offsets are asked for by name
            for partition in [one for one in heads if one in still and still[one] == there[one]]:
                self._beat()
                async with self.alone(partition):
                    start, end = starts[partition], ends[partition]
                    opened |= await self._open(partition, there[partition], heads[partition], start, end)
            await self._opener.list()
        # A shard that was opened again goes on where its log ends: what the client has received beyond that is received anew.
        # Without it the records between would be taken for offsets at which the broker has nothing.
        if opened or set(self.streams) != consumer.assignment():
            consumer.assign(list(self.streams))
            for partition, stream in self.streams.items():
                consumer.seek(partition, stream.position)

    async def _head(self, partition: TopicPartition) -> HeadState | None:
        self._beat()
        return await self._opener.head(partition)

    async def _there(self, admin: Admin) -> Reads:
        """What the broker has, as it says now."""
        told = await within(ANSWER_SECONDS_MAX, topics(admin))
        found = {name: topic for name, topic in told.items() if self._pattern.fullmatch(name)}
        return {TopicPartition(name, number): topic.id for name, topic in found.items() for number in topic.partitions}

    def _leave(self, there: Reads) -> None:
        """Streams whose partition has another topic id now are not read any more, and will be opened again. Until that is
        certain they are read by the old id, which gives what was received already, and nothing of the new topic."""
        self._doubted = {partition: since for partition, since in self._doubted.items() if partition in there}
        for partition, stream in list(self.streams.items()):
            if partition in self._diverged:
                self._diverged.remove(partition)
                del self.streams[partition]
            elif stream.topic_id is None and there.get(partition) is not None:  # the broker did not say before
                del self.streams[partition]
            elif same(stream.topic_id, there.get(partition)):
                self._doubted.pop(partition, None)
            elif not self._doubtful(partition):
                del self.streams[partition]

    async def _open(
        self, partition: TopicPartition, topic_id: UUID | None, head: HeadState | None, start: int, end: int
    ) -> bool:
        """Begin to read a partition in which the broker has [start, end); whether it could be. TamperError."""
        if head is None or (same(head.topic_id, topic_id) and end >= head.next_offset):
            shard = await self._opener.open(partition, start, topic_id)
        elif self._doubtful(partition):
            return False
        else:
            shard = await self._opener.anew(self._broker, head, start, end, topic_id)
        self._doubted.pop(partition, None)
        await self._begin(partition, shard, start)
        return True

    def reads(self) -> Reads:
        """The partitions that are read, each with the id of the topic that it is read of, where that is known."""
        return {one: stream.topic_id for one, stream in self.streams.items() if one not in self._diverged}

    def diverged(self, partition: TopicPartition) -> None:
        """Read it no further: its history is not the one that the log has. It is opened again, and they are compared first."""
        log.warning("%s: the broker has lost what the log has", named(partition))
        self._diverged.add(partition)

    async def anew(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        """The broker has another record than the log: the next generation. The partition is one of `streams`."""
        old = self.streams.pop(partition).shard
        start = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        shard = await self._opener.anew(self._broker, old.head, start, end, old.head.topic_id)
        await self._begin(partition, shard, start)
        await self._opener.list()
        if partition in self.streams:  # else it was dropped meanwhile, and will be opened again
            consumer.seek(partition, self.streams[partition].position)

    def _doubtful(self, partition: TopicPartition) -> bool:
        """Whether the broker's word that it has less than the log, or another topic, is too fresh to be acted upon: a
        generation is for ever."""
        since = self._doubted.setdefault(partition, time.monotonic())
        doubtful = time.monotonic() - since < DOUBT_SECONDS
        if doubtful:
            log.warning("%s: the broker has less than the log, or another topic: asked again", named(partition))
        return doubtful

    @asynccontextmanager
    async def alone(self, partition: TopicPartition) -> AsyncIterator[None]:
        """What is done here with a partition fails for it alone (`_left`); AWAY, which is nothing against it."""
        try:
            yield
        except AWAY:
            raise
        except Exception as error:
            await self._left(partition, error)

    async def _left(self, partition: TopicPartition, error: Exception) -> None:
        """Read it no further. It is opened again where another owner was faster, or a part was away; after tampering it is
        stopped; after anything else, which is a defect or bad data, it is set aside for a while."""
        self.streams.pop(partition, None)
        if isinstance(error, TamperError):
            await self._stop(partition, error)
        elif isinstance(error, (AnotherOwnerError, *AWAY)):
            log.warning("%s: %s", named(partition), error.detail if isinstance(error, KeptError) else described(error))
        else:
            await self.put_aside(partition, error)

    async def drop(self, shard: Shard, error: Exception) -> None:
        """A shard that could not be written (`_left`)."""
        for partition in [p for p, stream in self.streams.items() if stream.shard is shard]:
            await self._left(partition, error)
        for partition in [p for p, ended in self._ended.items() if shard in ended]:
            self._ended[partition].remove(shard)
            log.warning("%s: %s", shard.store.shard, error.detail if isinstance(error, KeptError) else described(error))
            if not isinstance(error, TamperError) and partition in self.streams:
                async with self.alone(partition):
                    self._ended[partition] = await self._opener.earlier(self.streams[partition].shard.head)

    async def _begin(self, partition: TopicPartition, shard: Shard, start: int) -> None:
        """What the broker dropped before the log had it is a gap, and told."""
        first = shard.next_offset
        alarm = AlarmRaised(kind="gap-by-retention", shard=shard.store.shard, first=first, last=start - 1)
        while shard.next_offset < start:
            self._beat()
            leaves = gaps(partition.topic, partition.partition, shard.next_offset, min(start, shard.next_offset + LEAVES_MAX))
            events = [alarm] if shard.next_offset == first else []
            for error in (await append_all({shard: Batch(list(leaves), events)})).values():
                raise error
        self._ended[partition] = await self._opener.earlier(shard.head)
        self.streams[partition] = await asyncio.to_thread(Stream, shard, start)

    async def put_aside(self, partition: TopicPartition, error: Exception) -> None:
        """Not read until its time comes."""
        self.streams.pop(partition, None)
        name = named(partition)
        self.aside[name] = await self._items.put(name, error, self.aside.get(name))

    async def up_to_date(self, partition: TopicPartition) -> None:
        """What the broker has of it comes into the log: what was wrong with it is over."""
        if self.aside.pop(named(partition), None) is not None:
            await self._items.done(named(partition))

    async def _due(self, new: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Without those that are set aside until later."""
        known = await self._items.known()
        self.aside |= {named(one): known[named(one)] for one in new if named(one) in known}
        return [one for one in new if named(one) not in known or self._items.due(known[named(one)])]

    async def _stop(self, partition: TopicPartition, error: TamperError) -> None:
        """This shard stops until a person has looked, and either lets it go on as its next generation (`kept audit go-on`) or
        brings its files back and starts the service anew. The others go on."""
        self.faults[named(partition)] = error.code
        log.critical("%s: %s", named(partition), error.detail)
        self._stopped[partition] = await self._opener.stopped(partition)

    async def _release(self) -> None:
        """Stopped partitions that have a next generation by now."""
        for partition, shard in list(self._stopped.items()):
            head = await self._opener.head(partition)
            if head is not None and head.shard != shard:
                del self._stopped[partition], self.faults[named(partition)]


def same(known: UUID | None, told: UUID | None) -> bool:
    """Whether it is the topic that is known, as far as can be told."""
    return known is None or told is None or known == told


def named(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
