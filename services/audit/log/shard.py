"""One shard being written: the order of writes, and what a crash between them leaves.

1. Large entries, bundles, then tiles: durable, under names that only these bytes may have. A crash leaves files that nobody
   refers to, and that the next try writes again, the same.
2. The head, by compare-and-swap. A crash leaves a head ahead of the checkpoint: `open` publishes it.
3. The signature, from Vault, and those of witnesses. 4. The checkpoint is replaced: published.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from services.audit.log.checkpoint import Checkpoint, parse
from services.audit.log.head import Heads, HeadState
from services.audit.log.store import ShardStore
from services.audit.log.tiles import Edge, load_edge
from services.audit.log.tree import EMPTY_ROOT
from shared.errors import TamperError
from shared.notes.note import VaultSigner, sign_note, verify_note

log = logging.getLogger("kept.audit.log")
Cosign = Callable[[ShardStore, str], Awaitable[str]]  # a signed checkpoint -> the same with what witnesses add to it


class Shard:
    def __init__(
        self, head: HeadState, edge: Edge, store: ShardStore, heads: Heads, signer: VaultSigner, cosign: Cosign | None = None
    ) -> None:
        self.head = head
        self.store = store
        self._edge = edge
        self._heads = heads
        self._signer = signer
        self._cosign = cosign

    @property
    def next_offset(self) -> int:
        """The broker's offset of the next leaf."""
        return self.head.base + self.head.size

    @classmethod
    async def open(
        cls, head: HeadState, store: ShardStore, heads: Heads, signer: VaultSigner, cosign: Cosign | None = None
    ) -> "Shard":
        """Compare head, store and checkpoint, and go on from the furthest that was promised.

        TamperError where they contradict each other: then nothing is signed, and a person must look.
        """
        published = await _published(store, signer)
        size = max(head.size, published.size if published else 0)
        edge = await asyncio.to_thread(load_edge, store.get, size)
        root = edge.root()
        if published is not None:  # what was signed last must be a beginning of what will be signed next
            await asyncio.to_thread(_is_beginning, store, size, published.size, published.root, "published root")
        await asyncio.to_thread(_is_beginning, store, size, head.size, head.root, "root that the head promised")
        if published is not None and published.size > head.size:  # the database was restored to an earlier moment
            log.warning("%s: the head was behind the published checkpoint", store.shard)
            head = await heads.move(head, published.size, published.root)
        if root != head.root:
            raise TamperError(f"{store.shard}: the newest tiles do not lead to the root that the head promised")
        shard = cls(head, edge, store, heads, signer, cosign)
        if published is None or published.size < size:  # an empty shard too says, signed, that it is empty
            await shard._publish()
        return shard

    async def append(self, entries: Sequence[bytes]) -> None:
        """Make `entries` part of the published log."""
        edge, head = self._edge, self.head
        root = await asyncio.to_thread(self._write, edge, entries)
        self.head = await self._heads.move(head, edge.size, root)
        await self._publish()

    def _write(self, edge: Edge, entries: Sequence[bytes]) -> bytes:
        for path, data in edge.append([self.store.fitted(e) for e in entries]):
            self.store.put(path, data)
        for path, data in edge.partials():
            self.store.put(path, data)
        return edge.root()

    async def _publish(self) -> None:
        text = Checkpoint(self._signer.name, self.head.size, self.head.root).text()
        note = await sign_note(text, self._signer)
        if self._cosign is not None:
            note = await self._cosign(self.store, note)
        await asyncio.to_thread(self.store.publish, note)


def _is_beginning(store: ShardStore, size: int, old: int, root: bytes, what: str) -> None:
    """The stored tree of `size` leaves must have `root` over its first `old`; read from tiles alone."""
    if (store.nodes(size).range(0, old) if old else EMPTY_ROOT) != root:
        raise TamperError(f"{store.shard}: tiles do not lead to the {what}")


async def _published(store: ShardStore, signer: VaultSigner) -> Checkpoint | None:
    note = await asyncio.to_thread(store.checkpoint)
    return None if note is None else parse(verify_note(note, await signer.vkeys()))
