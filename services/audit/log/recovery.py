"""What a shard goes on from: database, store and published checkpoint compared. It writes nothing.

After a crash the head may be ahead of the checkpoint; after the database was restored to an earlier moment, behind it. The
furthest of both counts, provided that the tree in the store leads to both of them.
"""

import asyncio

from services.audit.log.checkpoint import Checkpoint, parse
from services.audit.log.head import HeadState
from services.audit.log.store import ShardStore
from services.audit.log.tiles import Edge, load_edge
from services.audit.log.tree import EMPTY_ROOT
from shared.errors import NotFoundError, TamperError
from shared.notes.note import VaultSigner, verify_note


async def published(store: ShardStore, signer: VaultSigner) -> tuple[str | None, Checkpoint | None]:
    """The published note and what it says, proven; None where nothing was published yet."""
    note = await asyncio.to_thread(store.checkpoint)
    return note, None if note is None else parse(verify_note(note, await signer.vkeys()))


def furthest(store: ShardStore, head: HeadState, checkpoint: Checkpoint | None) -> Edge:
    """The edge of the largest tree that was promised. Reads tiles alone, so its cost does not grow with the log.

    TamperError unless 1. what was published last and 2. what the head promised are both beginnings of it; and where
    a file of it is gone, or the store is another one: what was durable once does not come back by waiting.
    """
    try:
        return _furthest(store, head, checkpoint)
    except NotFoundError:
        raise TamperError(f"{store.shard}: files of the tree that was promised are not in the store") from None


def _furthest(store: ShardStore, head: HeadState, checkpoint: Checkpoint | None) -> Edge:
    size = max(head.size, checkpoint.size if checkpoint else 0)
    edge = load_edge(store.get, size)
    if checkpoint is not None:  # 1: what was signed last must be a beginning of what will be signed next
        _must_begin(store, size, checkpoint.size, checkpoint.root, "published root")
    _must_begin(store, size, head.size, head.root, "root that the head promised")  # 2
    if edge.root() != (head.root if checkpoint is None or head.size >= checkpoint.size else checkpoint.root):
        raise TamperError(f"{store.shard}: the newest tiles do not lead to the root that was promised")
    return edge


def _must_begin(store: ShardStore, size: int, old: int, root: bytes, what: str) -> None:
    """The stored tree of `size` leaves must have `root` over its first `old`."""
    if (store.nodes(size).range(0, old) if old else EMPTY_ROOT) != root:
        raise TamperError(f"{store.shard}: tiles do not lead to the {what}")
