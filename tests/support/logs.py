"""A shard in a directory, written by the same code as the service's; heads and signature are stand-ins."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import cast

from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.head import Heads, HeadState
from services.audit.log.shard import Shard
from services.audit.log.store import ShardStore
from services.audit.log.tree import EMPTY_ROOT
from shared.blobs import BlobStore, PosixStore
from shared.notes.note import LocalSigner, VaultSigner, vkey
from tests.support.fsck import fsck
from tests.unit.services.audit.log.naive import MemoryHeads

TOPIC = "crash.events"
NAME = f"{TOPIC}/0"
BASE = 10  # the broker's first offset: index and offset are not the same
LARGE_EVERY = 300
START = HeadState(NAME, 1, BASE, 0, EMPTY_ROOT)


class Signer(LocalSigner):
    async def vkeys(self) -> list[str]:
        return [vkey(self.name, self.public)]


SIGNER = Signer(f"kept.test/log/{NAME}", bytes(32))
VKEY = vkey(SIGNER.name, SIGNER.public)


def record(index: int) -> bytes:
    """The entry of leaf `index`, as any owner would write it. Some are too large for a bundle."""
    said = b'{"n":%d}' % index + b" " * (70_000 if index % LARGE_EVERY == LARGE_EVERY - 1 else 0)
    return encode(Entry(Kind.RECORD, Place(TOPIC, 0, BASE + index, 1_700_000_000_000 + index), (), b"key", said))


def records(first: int, count: int) -> list[bytes]:
    return [record(i) for i in range(first, first + count)]


async def open_shard(blobs: BlobStore, heads: "MemoryHeads | Heads", state: HeadState = START) -> Shard:
    """The shard as an owner opens it that has just started."""
    head = heads.state if isinstance(heads, MemoryHeads) else state
    return await Shard.open(head, ShardStore(blobs, NAME), cast(Heads, heads), cast(VaultSigner, SIGNER))


async def grow(open_it: Callable[[], Awaitable[Shard]], goal: int, step: int, tries: int = 1) -> Shard:
    """Append records until there are `goal`. After a failure the shard is opened anew, as ingestion does, `tries` times in all;
    the last one's error is raised."""
    while True:
        tries -= 1
        try:
            shard = await open_it()
            while shard.head.size < goal:
                size = shard.head.size
                await shard.append(records(size, min(step, goal - size)))
            return shard
        except Exception:
            if tries <= 0:
                raise


def judged(root: Path, goal: int, name: str = NAME, vkey_text: str = VKEY) -> None:
    """The log is whole, says Tessera's fsck, and holds records 0 to `goal`, each once, in order."""
    found = fsck(root / name, vkey_text)
    assert (found.whole, found.size) == (True, goal), found.said
    store = ShardStore(PosixStore(root), name)
    held = [store.whole(entry) for n in range((goal + 255) // 256) for entry in store.entries(n, goal)]
    assert held == records(0, goal)


async def written(root: Path, batches: Sequence[Sequence[bytes]]) -> list[tuple[int, bytes]]:
    """A log under `root`; returns size and root after each batch."""
    shard = await open_shard(PosixStore(root), MemoryHeads(START))
    past = []
    for batch in batches:
        await shard.append(batch)
        past.append((shard.head.size, shard.head.root))
    return past
