"""Shards being written, several at once: the order of writes, and what a crash between them leaves.

1. Large entries, bundles and tiles: durable, under names that only these bytes may have. A crash leaves files that nobody
   refers to, and that the next try writes again, the same.
2. The heads, by compare-and-swap, in one transaction with the events that tell of what happened. A crash leaves heads ahead
   of their checkpoints: `open` publishes them.
3. The signatures, from Vault in one call.
4. Each checkpoint is replaced, if it still is the one that this owner saw last: published. An owner that slept while another
   went on fails here, or in 2.

Where checkpoints are to be witnessed, 3 and 4 are done in rounds of their own, of several batches at once (publishing.py).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import ENTRY_BYTES_MAX
from services.audit.log.head import AnotherOwnerError, Heads, HeadState, Move
from services.audit.log.recovery import furthest, published
from services.audit.log.store import Files, ShardStore
from services.audit.log.tiles import Edge
from shared.bus.event import Event
from shared.errors import ConflictError, UnavailableError
from shared.notes.note import VaultSigner, sign_notes

log = logging.getLogger("kept.audit.log")
AWAY = (UnavailableError, OSError)  # store, key service or database: nothing against a shard


@dataclass(frozen=True)
class Batch:
    """What a shard takes next: entries, and what there is to tell once they are in the log."""

    entries: Sequence[bytes]
    events: Sequence[Event] = ()


class Shard:
    """Made by `open`. After an error it must not be used again: what is in memory may be ahead of what is durable."""

    def __init__(
        self,
        head: HeadState,
        edge: Edge,
        store: ShardStore,
        heads: Heads,
        signer: VaultSigner,
        note: str | None = None,
        *,
        deferred: bool = False,
    ) -> None:
        self.head = head
        self.store = store
        self.heads = heads
        self.signer = signer
        self.note = note  # the checkpoint that was published last, as far as this owner knows
        self.deferred = deferred  # it is published in rounds, with witnesses
        self._edge = edge

    @property
    def next_offset(self) -> int:
        """The broker's offset of the next leaf."""
        return self.head.next_offset

    @property
    def published_offset(self) -> int:
        """The broker's offset of the first leaf that is not published."""
        return self.head.base + max(0, self.published)

    @property
    def published(self) -> int:
        """The size that the published checkpoint says; -1 while there is none."""
        return -1 if self.note is None else int(self.note.split("\n", 2)[1])

    @classmethod
    async def open(
        cls, head: HeadState, store: ShardStore, heads: Heads, signer: VaultSigner, *, deferred: bool = False
    ) -> "Shard":
        """Go on from the furthest that was promised.

        TamperError where head, store and checkpoint contradict each other: then nothing is signed, and a person must look.
        """
        note, checkpoint = await published(store, signer)
        edge = await asyncio.to_thread(furthest, store, head, checkpoint)
        if checkpoint is not None and checkpoint.size > head.size:  # the database was restored to an earlier moment
            log.warning("%s: the head was behind the published checkpoint", store.shard)
            head = await heads.move(head, checkpoint.size, checkpoint.root)
        shard = cls(head, edge, store, heads, signer, note, deferred=deferred)
        if checkpoint is None or checkpoint.size < head.size:  # an empty shard too says, signed, that it is empty
            await _publish([shard])
        return shard

    async def append(self, entries: Sequence[bytes]) -> None:
        """Make `entries` part of the published log. AnotherOwnerError where another owner did meanwhile."""
        for error in (await append_all({self: Batch(entries)})).values():
            raise error

    def grow(self, batch: Batch) -> "Growth":
        """What adding a batch writes. From here on the edge in memory is ahead of the head."""
        files: Files = []
        fit = self.store.fitted
        fitted = [entry if len(entry) <= ENTRY_BYTES_MAX else fit(entry, files) for entry in batch.entries]
        files += [(self.store.path(path), data) for path, data in self._edge.append(fitted)]
        files += [(self.store.path(path), data) for path, data in self._edge.partials()]
        return Growth(files, Move(self.head, self._edge.size, self._edge.root(), batch.events))


@dataclass(frozen=True)
class Growth:
    """Step 1 and step 2 of one shard."""

    files: Files
    move: Move


async def append_all(work: Mapping[Shard, Batch]) -> dict[Shard, Exception]:
    """Make each batch part of its shard's published log; the shards in which it could not be done, and why.

    An AnotherOwnerError: that one was faster. A TamperError: bytes that were written once are others now. Anything else is a
    defect that meets this shard. Raised are UnavailableError and OSError alone: a part is away, for all.
    """
    growths, failed = await asyncio.to_thread(_write, work)
    if not growths:
        return failed
    moved, spoiled = await _moved(growths)
    failed |= spoiled
    for shard in growths.keys() - spoiled.keys():
        if shard.store.shard in moved:
            shard.head = moved[shard.store.shard]
        else:
            failed[shard] = AnotherOwnerError("another owner moved the head")
    return failed | await _publish([shard for shard in growths if shard not in failed])


async def _moved(growths: Mapping[Shard, Growth]) -> tuple[dict[str, HeadState], dict[Shard, Exception]]:
    """Step 2, in one transaction; only where that fails for something unexpected shard by shard, to know whose it is."""
    heads = next(iter(growths)).heads
    try:
        return await heads.move_all([growth.move for growth in growths.values()]), {}
    except AWAY:
        raise
    except Exception as error:
        if len(growths) == 1:
            return {}, dict.fromkeys(growths, error)
    moved: dict[str, HeadState] = {}
    spoiled: dict[Shard, Exception] = {}
    for shard, growth in growths.items():
        one, failed = await _moved({shard: growth})
        moved |= one
        spoiled |= failed
    return moved, spoiled


def _write(work: Mapping[Shard, Batch]) -> tuple[dict[Shard, Growth], dict[Shard, Exception]]:
    """Step 1: in one go, and only where that fails shard by shard, to know whose it is."""
    growths: dict[Shard, Growth] = {}
    failed: dict[Shard, Exception] = {}
    for shard, batch in work.items():
        try:
            growths[shard] = shard.grow(batch)
        except AWAY:
            raise
        except Exception as error:
            failed[shard] = error
    blobs = next(iter(work)).store.blobs
    try:
        blobs.put_all_same([file for growth in growths.values() for file in growth.files])
    except AWAY:
        raise
    except Exception:
        for shard, growth in growths.items():
            try:
                blobs.put_all_same(growth.files)
            except AWAY:
                raise
            except Exception as error:
                failed[shard] = error
    return {shard: growth for shard, growth in growths.items() if shard not in failed}, failed


async def _publish(shards: Sequence[Shard]) -> dict[Shard, Exception]:
    """Steps 3 and 4; the shards that another owner published meanwhile."""
    now = [shard for shard in shards if not shard.deferred]
    return await asyncio.to_thread(replace_all, await signed(now)) if now else {}


async def signed(shards: Sequence[Shard]) -> dict[Shard, str]:
    """Step 3: the checkpoint of each shard's head, as a note."""
    texts = [(Checkpoint(shard.signer.name, shard.head.size, shard.head.root).text(), shard.signer) for shard in shards]
    return dict(zip(shards, await sign_notes(texts), strict=True))


def replace_all(notes: Mapping[Shard, str]) -> dict[Shard, Exception]:
    """Step 4; the shards that another owner published meanwhile, or that could not be for something unexpected."""
    failed: dict[Shard, Exception] = {}
    for shard, note in notes.items():
        try:
            shard.store.publish(note, shard.note)
            shard.note = note
        except ConflictError:
            failed[shard] = AnotherOwnerError("another owner published meanwhile")
        except AWAY:
            raise
        except Exception as error:
            failed[shard] = error
    return failed
