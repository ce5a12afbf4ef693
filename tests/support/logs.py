"""A shard in a directory, written by the same code as the service's; heads and signature are stand-ins."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.head import Heads, HeadState
from services.audit.log.shard import Shard
from services.audit.log.store import ShardStore
from services.audit.log.tree import EMPTY_ROOT
from shared.blobs import BlobStore, PosixStore
from shared.notes.note import LocalSigner, VaultSigner, vkey
from tests.unit.services.audit.log.naive import MemoryHeads

TOPIC = "crash.events"
NAME = f"{TOPIC}/0"
BASE = 10  # the broker's first offset: index and offset are not the same
START = HeadState(NAME, 1, BASE, 0, EMPTY_ROOT)


class Signer(LocalSigner):
    async def vkeys(self) -> list[str]:
        return [vkey(self.name, self.public)]


SIGNER = Signer(f"kept.test/log/{NAME}", bytes(32))
VKEY = vkey(SIGNER.name, SIGNER.public)


def record(index: int, value: bytes | None = None) -> bytes:
    """The entry of leaf `index`, as any owner would write it."""
    said = b'{"n":%d}' % index if value is None else value
    return encode(Entry(Kind.RECORD, Place(TOPIC, 0, BASE + index, 1_700_000_000_000 + index), (), b"key", said))


def records(first: int, count: int) -> list[bytes]:
    return [record(i) for i in range(first, first + count)]


async def open_shard(blobs: BlobStore, heads: "MemoryHeads | Heads", state: HeadState = START) -> Shard:
    """The shard as an owner opens it that has just started."""
    head = heads.state if isinstance(heads, MemoryHeads) else state
    return await Shard.open(head, ShardStore(blobs, NAME), cast(Heads, heads), cast(VaultSigner, SIGNER))


async def written(root: Path, batches: Sequence[Sequence[bytes]]) -> list[tuple[int, bytes]]:
    """A log under `root`; returns size and root after each batch."""
    shard = await open_shard(PosixStore(root), MemoryHeads(START))
    past = []
    for batch in batches:
        await shard.append(batch)
        past.append((shard.head.size, shard.head.root))
    return past
