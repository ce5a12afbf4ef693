"""From a partition of the broker to its shard: begun, gone on with, or, where its topic was made anew, begun once more."""

import asyncio
import logging
from uuid import UUID

from aiokafka import TopicPartition

from services.audit.events import AlarmRaised
from services.audit.log import validity
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.head import Heads, HeadState
from services.audit.log.parting import goes_on, leaves, parted, probing
from services.audit.log.recovery import published
from services.audit.log.shard import Shard
from services.audit.log.store import KEYS, KEYS_JSON, SHARDS, ShardStore
from services.audit.log.trust import LOG_KEY
from shared.blobs import BlobStore
from shared.bus.broker import BrokerSettings
from shared.errors import ConflictError, NotFoundError, TamperError
from shared.keys.vault import Vault
from shared.notes.note import VaultSigner

log = logging.getLogger("kept.audit.ingest")


class Opener:
    """Opens shards, and keeps the two lists that a reader of the log starts from."""

    def __init__(self, log_name: str, blobs: BlobStore, heads: Heads, vault: Vault, *, deferred: bool = False) -> None:
        """`deferred`: what it opens is published in rounds, with witnesses (publishing.py)."""
        self.heads = heads
        self._deferred = deferred
        self._log_name = log_name
        self._blobs = blobs
        self._vault = vault
        self._told: frozenset[int] = frozenset()  # versions of the log's key that `keys` has

    async def head(self, partition: TopicPartition) -> HeadState | None:
        """How far the log is; None where it has nothing of this partition."""
        return await self.heads.newest(partition.topic, partition.partition)

    async def open(self, partition: TopicPartition, start: int, topic_id: UUID | None) -> Shard:
        """The shard of a partition, gone on with, or begun at the broker's first record, `start`. TamperError."""
        head = await self.head(partition)
        if head is None:
            head = await self.heads.start(partition.topic, partition.partition, 1, start, topic_id=topic_id)
        if head.topic_id is None and topic_id is not None:  # an older version of this software, or of the broker, began it
            head = await self.heads.identify(head, topic_id)
        return await self._open(head)

    async def anew(self, broker: BrokerSettings, old: HeadState, start: int, end: int, topic_id: UUID | None) -> Shard:
        """The next generation: the topic was deleted and made again, or its broker, which has [start, end), lost what the log
        has. It begins where the two histories part, so that no record stands in the log twice.

        Or the same generation, where a topic with another id has all that the log has: a mirror of the one that was."""
        partition = TopicPartition(old.topic, old.partition)
        async with probing(broker, partition, topic_id) as probe:
            base = await parted(probe, leaves(ShardStore(self._blobs, old.shard), old), old, start, end)
        if topic_id is not None and topic_id != old.topic_id and goes_on(old, start, base):
            log.warning("%s: the topic has another id, and the records that the log has: gone on with", old.shard)
            return await self._open(await self.heads.identify(old, topic_id))
        said = "%s: the broker has offsets %d to %d, the log %d to %d, and from %d on they differ"
        log.error(said, old.shard, start, end, old.base, old.next_offset, base)
        alarm = AlarmRaised(kind="topic-made-anew", shard=old.shard, first=old.base, last=max(old.base, old.next_offset - 1))
        return await self._open(await self.heads.start(old.topic, old.partition, old.generation + 1, base, alarm, topic_id))

    async def go_on(self, shard: str) -> str:
        """The next generation of a shard that is stopped, from the end of what it has published; its name.

        NotFoundError for a shard that is none, or of which a later generation exists; ConflictError where it is not stopped."""
        topic, _, partition = shard.rpartition("/")
        head = await self.heads.newest(topic.partition("~")[0], int(partition)) if partition.isdecimal() else None
        if head is None or head.shard != shard:
            raise NotFoundError("no such shard, or not its newest generation")
        if not head.stopped:
            raise ConflictError(f"{shard} is not stopped")
        try:
            checkpoint = await self.published(shard)
        except TamperError:  # what was published is worth nothing: everything that the broker still has is logged again
            checkpoint = None
        base = head.base + (checkpoint.size if checkpoint else 0)
        alarm = AlarmRaised(kind="gone-on", shard=shard, first=base, last=max(base, head.next_offset - 1))
        # Of the same topic as far as is known: where it was made anew meanwhile, the next owner finds another id.
        return (await self.heads.start(head.topic, head.partition, head.generation + 1, base, alarm, head.topic_id)).shard

    async def published(self, shard: str) -> Checkpoint | None:
        """What a shard's published checkpoint says; None where there is none yet. TamperError where it does not verify."""
        return (await published(ShardStore(self._blobs, shard), self._signer(shard)))[1]

    async def stopped(self, partition: TopicPartition) -> str:
        """Tell that a shard cannot go on: what was written once reads differently now. Its name."""
        head = await self.head(partition)
        if head is not None:
            alarm = AlarmRaised(kind="tampered", shard=head.shard, first=head.next_offset, last=head.next_offset)
            await self.heads.stopped(head.shard, alarm)
        return "" if head is None else head.shard

    async def earlier(self, head: HeadState) -> list[Shard]:
        """The generations before this one. They are not written any more, but what was integrated last may not be published
        yet: it is here, or, where that waits for witnesses, by whoever has these shards. A damaged one is told, and left."""
        found = []
        for one in await self.heads.earlier(head) if head.generation > 1 else ():
            try:
                found += [] if one.stopped else [await self._shard(one)]
            except TamperError as error:
                log.error("%s: %s", one.shard, error.detail)
        return found if self._deferred else []

    async def _open(self, head: HeadState) -> Shard:
        shard = await self._shard(head)
        if head.stopped:
            await self.heads.goes_on(head.shard)
        return shard

    async def _shard(self, head: HeadState) -> Shard:
        store, signer = ShardStore(self._blobs, head.shard), self._signer(head.shard)
        return await Shard.open(head, store, self.heads, signer, deferred=self._deferred)

    def _signer(self, shard: str) -> VaultSigner:
        return VaultSigner(self._vault, LOG_KEY, f"{self._log_name}/{shard}", self._tell)

    async def _tell(self, versions: frozenset[int]) -> None:
        """After a rotation: whoever reads a checkpoint of the new version finds its key published already."""
        if not versions <= self._told:
            await self.list()

    async def list(self) -> None:
        """Write the list of shards, and of the keys that verify them."""
        # Every shard there ever was: one that is stopped, or whose topic is gone, must not escape verification.
        shards = await self.heads.shards()
        versions = await self._vault.key_versions(LOG_KEY)
        keys = [one for shard in shards for one in validity.of(f"{self._log_name}/{shard}", versions)]
        await asyncio.to_thread(self._blobs.replace, SHARDS, "".join(f"{s}\n" for s in shards).encode())
        await asyncio.to_thread(self._blobs.replace, KEYS, "".join(f"{one.vkey}\n" for one in keys).encode())
        await asyncio.to_thread(self._blobs.replace, KEYS_JSON, validity.encode(keys))
        self._told = frozenset(versions)
