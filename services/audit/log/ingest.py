"""Kafka -> the log. The log is its own offset store: on start each shard says how far it is, and reading goes on from there.

Every topic that matches the pattern is read, new ones within DISCOVER_SECONDS. A record is never skipped: what cannot be
parsed is sealed as it is; an offset at which the broker has nothing becomes a gap leaf.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.audit.log import seal
from services.audit.log.entry import Entry, Kind, Place, encode, gap
from services.audit.log.head import Heads
from services.audit.log.sealer import Sealer
from services.audit.log.shard import Cosign, Shard
from services.audit.log.store import KEYS, SHARDS, ShardStore
from shared.blobs import BlobStore
from shared.bus.broker import BrokerSettings
from shared.errors import ConflictError, KeptError, TamperError, UnavailableError
from shared.keys.vault import Vault
from shared.notes.note import VaultSigner

log = logging.getLogger("kept.audit.ingest")
RECORDS_MAX = 5_000  # per batch and partition: a few megabytes of entries
BATCH_MILLISECONDS = 250  # how long a batch may wait to fill: part of the publication delay
DISCOVER_SECONDS = 1.0
PAUSE_SECONDS = 1.0
STALL_SECONDS_MAX = 20.0  # signing by a slow Vault takes five
ANSWER_SECONDS_MAX = 15.0  # a broker that answers no question for so long is asked anew
LOG_KEY = "kept-log"
Published = Callable[[], None]


class Ingest:
    """`run()` for ever as a task. `published` is called after every new checkpoint."""

    def __init__(
        self,
        *,
        pattern: str,
        log_name: str,
        blobs: BlobStore,
        heads: Heads,
        sealer: Sealer,
        vault: Vault,
        broker: BrokerSettings,
        published: Published,
        cosign: Cosign | None = None,
    ) -> None:
        self._pattern = re.compile(pattern)
        self._log_name = log_name
        self._blobs = blobs
        self._heads = heads
        self._sealer = sealer
        self._vault = vault
        self._broker = broker
        self._published = published
        self._cosign = cosign
        self._shards: dict[TopicPartition, Shard] = {}
        self.behind: dict[str, int] = {}  # shard -> records the broker has and the log has not
        self.faults: dict[str, str] = {}  # partition -> code of what stopped it
        self.ready = False
        self._beat = 0.0

    async def run(self) -> None:
        while True:
            consumer = self._broker.consumer(auto_offset_reset="none", max_partition_fetch_bytes=4 * 1024 * 1024)
            admin = AIOKafkaAdminClient(**self._broker.client())
            try:
                await _within(ANSWER_SECONDS_MAX, consumer.start())
                await _within(ANSWER_SECONDS_MAX, admin.start())
                await self._watched(self._consume(consumer, admin))
            except (KafkaError, OSError, KeptError) as error:  # a TimeoutError is an OSError
                log.warning("ingestion waits: %s", error.code if isinstance(error, KeptError) else type(error).__name__)
            except Exception:  # our own bug must not end the log in silence: it is told, and tried again
                log.exception("ingestion failed")
            finally:
                self.ready = False
                for end in (consumer.stop(), admin.close()):
                    await _ended(end)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        """`work`, given up when its loop stands still: a client whose broker died may wait for ever."""
        self._beat = time.monotonic()
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=PAUSE_SECONDS)
                if time.monotonic() - self._beat > STALL_SECONDS_MAX:
                    raise TimeoutError
        finally:
            task.cancel()
        if task.cancelled():
            raise TimeoutError
        task.result()

    async def _consume(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        looked = float("-inf")
        self._shards.clear()
        while True:
            self._beat = time.monotonic()
            if time.monotonic() - looked > DISCOVER_SECONDS:
                await _within(ANSWER_SECONDS_MAX, self._discover(consumer, admin))
                looked = time.monotonic()
            if not consumer.assignment():
                raise UnavailableError("the broker names no topic yet")  # asked again through a fresh client
            self.ready = True
            batches = await consumer.getmany(timeout_ms=BATCH_MILLISECONDS, max_records=RECORDS_MAX)
            for partition, records in batches.items():
                await self._take(partition, records)
                if partition not in self._shards:
                    consumer.assign(list(self._shards))
                    for other, shard in self._shards.items():
                        consumer.seek(other, shard.next_offset)
            if batches:
                self._published()

    async def _discover(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        """Find new topics and partitions, open their shards, and read on where each shard ends."""
        topics = sorted(t for t in await admin.list_topics() if self._pattern.fullmatch(t))
        described = await admin.describe_topics(topics) if topics else []
        wanted = {TopicPartition(t["topic"], p["partition"]) for t in described for p in t["partitions"]}
        new = sorted(p for p in wanted - set(self._shards) if _named(p) not in self.faults)
        if not new:
            return
        starts = await consumer.beginning_offsets(new)
        ends = await consumer.end_offsets(new)
        for partition in new:
            try:
                self._shards[partition] = await self._open(partition, starts[partition], ends[partition])
            except TamperError as error:
                self._stop(partition, error)
        await self._list()
        consumer.assign(list(self._shards))
        for partition, shard in self._shards.items():
            consumer.seek(partition, max(shard.next_offset, starts.get(partition, 0)))

    async def _open(self, partition: TopicPartition, start: int, end: int) -> Shard:
        head = await self._heads.newest(partition.topic, partition.partition)
        if head is None:
            head = await self._heads.start(partition.topic, partition.partition, 1, start)
        elif end < head.base + head.size:  # the broker has less than the log: the topic was made anew
            log.error("%s/%d: the topic was deleted and made again", partition.topic, partition.partition)
            head = await self._heads.start(partition.topic, partition.partition, head.generation + 1, start)
        store = ShardStore(self._blobs, head.shard)
        signer = VaultSigner(self._vault, LOG_KEY, f"{self._log_name}/{head.shard}")
        return await Shard.open(head, store, self._heads, signer, self._cosign)

    async def _list(self) -> None:
        """The two lists that a reader starts from: shards, and the keys that verify them."""
        # Every shard there ever was: one that is stopped, or whose topic is gone, must not escape verification.
        shards = await self._heads.shards()
        vkeys: list[str] = []
        for shard in shards:
            vkeys += await VaultSigner(self._vault, LOG_KEY, f"{self._log_name}/{shard}").vkeys()
        await asyncio.to_thread(self._blobs.replace, SHARDS, "".join(f"{s}\n" for s in shards).encode())
        await asyncio.to_thread(self._blobs.replace, KEYS, "".join(f"{k}\n" for k in vkeys).encode())

    async def _take(self, partition: TopicPartition, records: "Sequence[ConsumerRecord[bytes, bytes]]") -> None:
        shard = self._shards[partition]
        try:
            fresh = [r for r in records if r.offset >= shard.next_offset]
            if fresh:
                await shard.append(await self._entries(shard.next_offset, fresh))
        except ConflictError:
            del self._shards[partition]  # another owner was faster: read the head again
            raise
        except TamperError as error:
            del self._shards[partition]
            self._stop(partition, error)
        except Exception:
            del self._shards[partition]  # what is in memory may be ahead of what is durable: start from the store
            raise

    def _stop(self, partition: TopicPartition, error: TamperError) -> None:
        """This shard stops until a person has looked and starts the service anew; the others go on."""
        self.faults[_named(partition)] = error.code
        log.critical("%s: %s", _named(partition), error.detail)

    async def _entries(self, expected: int, records: "Sequence[ConsumerRecord[bytes, bytes]]") -> list[bytes]:
        """Canonical entries of a batch, gaps filled."""
        names = {seal.sealing_name(_place(r), _headers(r)) for r in records if not seal.is_own(r.topic, _headers(r))}
        keys = await self._sealer.keys(names)
        entries: list[bytes] = []
        for record in records:
            place, headers = _place(record), _headers(record)
            while expected < record.offset:
                entries.append(encode(gap(Place(place.topic, place.partition, expected, -1))))
                expected += 1
            expected += 1
            if seal.is_own(record.topic, headers):
                entries.append(encode(Entry(Kind.RECORD, place, headers, record.key, record.value)))
                continue
            name = seal.sealing_name(place, headers)
            key = keys[name]
            if key is None:
                log.error("%s/%d: a record about an erased subject, offset %d", place.topic, place.partition, place.offset)
                entries.append(encode(seal.forgotten(place, headers, name)))
            else:
                entries.append(encode(seal.sealed(place, headers, record.key, record.value, name, key)))
        return entries


def _named(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"


def _place(record: "ConsumerRecord[bytes, bytes]") -> Place:
    return Place(record.topic, record.partition, record.offset, record.timestamp)


def _headers(record: "ConsumerRecord[bytes, bytes]") -> tuple[tuple[str, bytes | None], ...]:
    return tuple((str(name), value) for name, value in record.headers)


async def _within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Wait for `work`, and no longer: TimeoutError. A client whose broker died may wait for ever, and may swallow the
    cancellation that `asyncio.timeout` relies on; so it is left behind, not waited for."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        task.cancel()
    if not done or task.cancelled():  # aiokafka's clients raise CancelledError out of stop() when their broker died
        raise TimeoutError
    task.result()


async def _ended(end: Coroutine[Any, Any, None]) -> None:
    """Close a client whose broker may be gone: no error and no silence of it may hold up the next try."""
    try:
        await _within(5, end)
    except Exception as error:
        log.warning("a client did not end cleanly: %s", type(error).__name__)
