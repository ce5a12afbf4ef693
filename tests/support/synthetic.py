"""A log as the service would have written it, made fast: for verification and receipts at sizes that nobody waits for.

python -m tests.support.synthetic DIRECTORY SIZE [TILES_ONLY]
"""

import asyncio
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from services.audit.log import bundles, paths
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.tiles import Edge
from services.audit.log.tree import leaf_hash, root_of
from shared.notes.note import LocalSigner, sign_note, vkey

SHARD = "bench/0"
HEADERS = (("ce_id", b"0" * 36), ("ce_type", b"kept.bench.thing.made.v1"), ("ce_source", b"/services/bench"))
VALUE = b"v" * 340  # 500 bytes an entry


def entry_at(index: int) -> bytes:
    """An entry of 500 bytes."""
    return encode(Entry(Kind.RECORD, Place("bench", 0, index, 1), HEADERS, b"k" * 32, VALUE))


def write_log(
    root: Path, size: int, *, shard: str = SHARD, entry: Callable[[int], bytes] = entry_at, tiles_only: bool = False
) -> str:
    """Write a shard of `size` leaves, `shards` and `keys`; its vkey. `tiles_only`: made-up leaf hashes, and no entries."""
    levels: list[list[bytes]] = []

    def put(path: str, data: bytes) -> None:
        target = root / shard / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def push(level: int, hashes: list[bytes], n: int) -> None:
        """Add what became known at a level: `n` is the number of the tile it belongs to."""
        if level == len(levels):
            levels.append([])
        levels[level] += hashes
        if len(levels[level]) == paths.WIDTH:
            put(paths.tile(level, n), b"".join(levels[level]))
            parent, levels[level] = root_of(levels[level]), []
            push(level + 1, [parent], n // paths.WIDTH)

    for first in range(0, size, paths.WIDTH):
        n, here = first // paths.WIDTH, range(first, min(size, first + paths.WIDTH))
        if tiles_only:
            hashes = [hashlib.sha256(index.to_bytes(8, "big")).digest() for index in here]
        else:
            entries = [entry(index) for index in here]
            put(paths.bundle(n, len(entries)), bundles.encode(entries))
            hashes = [leaf_hash(one) for one in entries]
        push(0, hashes, n)
    for level, full, width in paths.widths(size):
        if width:
            put(paths.tile(level, full, width), b"".join(levels[level]))
    edge = Edge(size)
    edge.levels = levels
    signer = LocalSigner(f"bench.local/log/{shard}", bytes(32))
    put(paths.CHECKPOINT, asyncio.run(sign_note(Checkpoint(signer.name, size, edge.root()).text(), signer)).encode())
    key = vkey(signer.name, signer.public)
    (root / "shards").write_text(f"{shard}\n")
    (root / "keys").write_text(f"{key}\n")
    return key


if __name__ == "__main__":
    print(write_log(Path(sys.argv[1]), int(sys.argv[2]), tiles_only=len(sys.argv) > 3))
