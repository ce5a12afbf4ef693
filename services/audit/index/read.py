"""Reading the published log, verified: what the index takes in is what a signed checkpoint covers, byte for byte.

1. The checkpoint is signed by the log's key. 2. The leaf hashes of the entries read, put in their place between the stored
tiles, lead to its root. So a bundle that was changed is refused, also where its tile was changed with it. It costs one
SHA-256 per entry and a few tiles per batch.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.audit.index.facts import Facts
from services.audit.index.glance import Glance
from services.audit.log import checkpoint, paths
from services.audit.log.entry import Kind
from services.audit.log.store import SHARDS, ShardStore
from services.audit.log.tiles import Nodes
from services.audit.log.tree import EMPTY_ROOT, leaf_hashes, node_hash, root_of
from services.audit.log.trust import Vkeys
from shared.blobs import BlobStore
from shared.errors import MalformedError, NotFoundError, TamperError
from shared.notes.note import verify_note

BATCH_ENTRIES_MAX = 8 * paths.WIDTH  # one transaction: a few megabytes, a fraction of a second


@dataclass(frozen=True)
class Published:
    """What a shard's checkpoint signs."""

    size: int
    root: bytes


@dataclass(frozen=True)
class Batch:
    """Facts of the entries from `start` on, in order."""

    shard: str
    start: int
    facts: Sequence[Facts]

    @property
    def end(self) -> int:
        return self.start + len(self.facts)

    def rows(self) -> Iterator[tuple[int, Facts]]:
        return enumerate(self.facts, self.start)


def shards(blobs: BlobStore) -> list[str]:
    """Every shard of the log."""
    try:
        return blobs.get(SHARDS).decode().split()
    except NotFoundError:
        return []


class Checkpoints:
    """Step 1, remembering what was verified. `vkeys(shard)`: the keys that may sign the shard's checkpoint."""

    def __init__(self, vkeys: Vkeys) -> None:
        self._vkeys = vkeys
        self._known: dict[str, Sequence[str]] = {}
        self._newest: dict[str, tuple[str, Published]] = {}

    async def newest(self, store: ShardStore) -> Published:
        """A shard without a checkpoint is empty. TamperError where the log's key did not sign it, or it is another's."""
        try:
            note = await asyncio.to_thread(store.checkpoint)
        except UnicodeDecodeError:
            raise TamperError(f"{store.shard}: the checkpoint is none") from None
        if note is None:
            return Published(0, EMPTY_ROOT)
        if store.shard not in self._newest or self._newest[store.shard][0] != note:
            self._newest[store.shard] = note, await self._verified(store.shard, note)
        return self._newest[store.shard][1]

    async def _verified(self, shard: str, note: str) -> Published:
        known = self._known.get(shard)
        try:
            return verified(shard, note, known or ())
        except TamperError:  # a key that came after we asked last?
            self._known[shard] = await self._vkeys(shard)
            return verified(shard, note, self._known[shard])


def verified(shard: str, note: str, vkeys: Sequence[str]) -> Published:
    """What the note signs. TamperError."""
    try:
        found = checkpoint.parse(verify_note(note, vkeys))
    except MalformedError:
        raise TamperError(f"{shard}: the checkpoint is none") from None
    if not found.origin.endswith(f"/{shard}"):
        raise TamperError(f"{shard}: the checkpoint is another shard's")
    return Published(found.size, found.root)


def entries(store: ShardStore, at: Published, start: int, count: int = BATCH_ENTRIES_MAX) -> list[bytes]:
    """Entries from `start` on, up to the end of a bundle and about `count`. TamperError, also where a file that the
    checkpoint covers is gone or cut: the log takes nothing away."""
    try:
        first, last = start // paths.WIDTH, (min(start + count, at.size) - 1) // paths.WIDTH
        found = [entry for n in range(first, last + 1) for entry in store.entries(n, at.size)]
        found = found[start - first * paths.WIDTH :]
        if _root(store.nodes(at.size), start, leaf_hashes(found), 0, at.size) == at.root:  # 2
            return found
    except (MalformedError, NotFoundError):
        pass
    raise TamperError(f"{store.shard}: entries {start} to {min(start + count, at.size) - 1} are not what was signed")


def read(store: ShardStore, at: Published, start: int, count: int = BATCH_ENTRIES_MAX) -> Batch:
    """The facts of `entries`. TamperError, UnavailableError."""
    raw, facts = entries(store, at, start, count), Glance().facts
    try:
        return Batch(store.shard, start, [facts(store.whole(one) if one[1] == Kind.LARGE else one) for one in raw])
    except (MalformedError, NotFoundError) as error:
        raise TamperError(f"{store.shard}: of entries {start} to {start + len(raw) - 1}, one is none: {error.code}") from None


def _root(nodes: Nodes, start: int, hashes: Sequence[bytes], low: int, high: int) -> bytes:
    """MTH of leaves [low, high): those from `start` on are `hashes`, the others are what the tiles say."""
    end = start + len(hashes)
    if high <= start or end <= low:
        return nodes.range(low, high)
    if start <= low and high <= end:
        return root_of(hashes[low - start : high - start])
    middle = low + (1 << (high - low - 1).bit_length() - 1)  # the largest power of two below the count
    return node_hash(_root(nodes, start, hashes, low, middle), _root(nodes, start, hashes, middle, high))
