"""Reading a topic by its id, and by the leader's epoch of what was read last, so that what is received follows from that.

The broker itself refuses, once the name is of another topic: by name alone, the records of a topic made anew would follow those
of the old one, and nobody could tell. And it compares the epoch with its own history (KIP-320, KIP-595): where it lost records
that were read, and has others in their places, it says that the histories diverge, instead of giving what comes after those.

aiokafka fetches in version 11, by name. Here its requests go out in version 13, and the answers come back to it in the shape
of version 11. Where the broker does not speak it, or the id is not known, it is read by name as before.
"""

import asyncio
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11, FetchResponse_v11

from shared.bus.kafka.protocol import FetchRequest_v13, FetchResponse_v13, Versions, speaks

Reads = Mapping[TopicPartition, UUID | None]  # the partitions that are read, each with its topic's id, where that is known
OTHER_TOPIC = (100, 103)  # UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID
NOTHING_SAID: tuple[Any, ...] = (0, OTHER_TOPIC[0], -1, -1, -1, (), -1, b"", {})  # about a partition that was asked for
UNKNOWN_TOPIC = 3  # what aiokafka takes for "ask for the metadata, and try again"
UNKNOWN_EPOCH = -1
DIVERGING_EPOCH = 0  # the tag of an answer whose history is not the one that was read
MAGIC = 2  # of the format of record batches that has epochs
_BATCH = struct.Struct(">qiib6xi")  # base offset, length, leader epoch, magic, (checksum, attributes,) last offset delta
_LENGTH_FROM = 12  # the length of a batch counts what follows it
REFUSED_SECONDS = 0.5  # so long a partition that was refused is not asked for: the broker answers that at once, again and again


@dataclass(frozen=True)
class _Asked:
    """A request of aiokafka's, for those of its partitions that are in `ids`; where one has no id, by name, for all."""

    fetch: FetchRequest
    ids: Reads
    epochs: "Epochs"

    def prepare(self, versions: Versions) -> Any:
        if not speaks(versions, FetchRequest_v13) or None in self.ids.values():
            return self.fetch.prepare(versions)
        plain = self.fetch.build(FetchRequest_v11)
        by_id: dict[UUID | None, list[tuple[Any, ...]]] = {}
        for name, partitions in plain.topics:
            for number, epoch, offset, start, size in partitions:
                partition = TopicPartition(name, number)
                if partition in self.ids:
                    topic_id = self.ids[partition]
                    last = self.epochs.before(topic_id, number, offset)
                    by_id.setdefault(topic_id, []).append((number, epoch, offset, last, start, size, {}))
        asked: list[tuple[Any, ...]] = [(topic_id, partitions, {}) for topic_id, partitions in by_id.items()]
        head = (plain.replica_id, plain.max_wait_time, plain.min_bytes, plain.max_bytes, plain.isolation_level)
        return FetchRequest_v13(*head, plain.session_id, plain.session_epoch, asked, [], plain.rack_id, {})


class Epochs:
    """The leader's epoch of the last record that was received of each partition."""

    def __init__(self) -> None:
        self._last: dict[tuple[UUID | None, int], tuple[int, int]] = {}  # topic id, partition -> the offset after it, its epoch

    def before(self, topic_id: UUID | None, number: int, offset: int) -> int:
        """The epoch of the record before `offset`; unknown where it is not the one that was received last."""
        following, epoch = self._last.get((topic_id, number), (-1, UNKNOWN_EPOCH))
        return epoch if following == offset else UNKNOWN_EPOCH

    def received(self, topic_id: UUID | None, number: int, records: bytes) -> None:
        """Note the epoch of the last whole batch (Kafka protocol, "Record Batch")."""
        at, last = 0, None
        while at + _BATCH.size <= len(records):
            base, length, epoch, magic, delta = _BATCH.unpack_from(records, at)
            at += _LENGTH_FROM + length
            if magic != MAGIC or at > len(records):
                break
            last = (base + delta + 1, epoch)
        if last is not None:
            self._last[topic_id, number] = last

    def forget(self, topic_id: UUID | None, number: int) -> None:
        self._last.pop((topic_id, number), None)


class FetchById:
    """Has a consumer read by topic id. `reads`: what it is to read now; what else is assigned to it is left out. `diverged` is
    told of a partition whose history is not the one that was read any more: it must be left out of `reads` from then on, until
    it is known from where it is to be read."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        reads: Callable[[], Reads],
        diverged: Callable[[TopicPartition], None] = lambda _: None,
    ) -> None:
        client = consumer._client
        self._reads = reads
        self._diverged = diverged
        self._epochs = Epochs()
        self._send = client.send
        self._refused: dict[tuple[UUID | None, int], float] = {}  # topic id and partition, where the last answer was no -> when
        client.send = self._sent

    def refused(self, partition: TopicPartition) -> bool:
        """Whether the broker's last answer was that this partition is not of the topic with this id."""
        return (self._reads().get(partition), partition.partition) in self._refused

    async def _sent(self, node_id: Any, request: Any, **options: Any) -> Any:
        if not isinstance(request, FetchRequest):
            return await self._send(node_id, request, **options)
        reads = self._reads()
        named = [TopicPartition(name, number) for name, partitions in request.topics for number, *_ in partitions]
        ids = {one: reads[one] for one in named if one in reads and not self._rests(reads[one], one.partition)}
        if not ids:
            await asyncio.sleep(REFUSED_SECONDS)
            return FetchResponse_v11(0, 0, 0, [])
        answer = await self._send(node_id, _Asked(request, ids, self._epochs), **options)
        return self._named(answer, ids) if answer.API_VERSION == FetchResponse_v13.API_VERSION else answer

    def _rests(self, topic_id: UUID | None, number: int) -> bool:
        return time.monotonic() - self._refused.get((topic_id, number), float("-inf")) < REFUSED_SECONDS

    def _named(self, answer: Any, ids: Reads) -> Any:
        """An answer in the shape that aiokafka knows."""
        asked = {(topic_id, partition.partition): partition for partition, topic_id in ids.items()}
        said = {(topic_id, part[0]): part for topic_id, parts, _ in answer.topics for part in parts}
        topics: dict[str, list[tuple[Any, ...]]] = {}
        for key, partition in asked.items() if said else ():  # a broker that holds a client back answers nothing at all
            self._refused.pop(key, None)
            # One that does not know the id may also answer about the id of zeros.
            _, error, highwater, stable, start, aborted, replica, records, tags = said.get(key, NOTHING_SAID)
            if error in OTHER_TOPIC:
                self._refused[key] = time.monotonic()
                error = UNKNOWN_TOPIC
            self._epochs.received(*key, records or b"")
            if _diverges(tags):
                self._epochs.forget(*key)
                self._diverged(partition)
            undone = [(producer, first) for producer, first, _ in aborted or ()]
            found = (partition.partition, error, highwater, stable, start, undone, replica, records or b"")
            topics.setdefault(partition.topic, []).append(found)
        return FetchResponse_v11(answer.throttle_time_ms, answer.error_code, answer.session_id, list(topics.items()))


def _diverges(tags: Mapping[int, bytes]) -> bool:
    """Whether an answer names the epoch in which the histories diverge. -1: it does not, at length."""
    return int.from_bytes(tags.get(DIVERGING_EPOCH, b"\xff" * 4)[:4], "big", signed=True) >= 0
