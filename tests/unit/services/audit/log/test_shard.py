"""A shard through crashes, two owners and restored databases. The judge is always verification."""

from typing import cast

import pytest

from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.head import Heads, HeadState
from services.audit.log.shard import Shard
from services.audit.log.store import ShardStore
from services.audit.log.tree import EMPTY_ROOT
from services.audit.log.verify import verify_shard
from shared.errors import ConflictError, TamperError
from shared.notes.note import LocalSigner, VaultSigner, vkey
from tests.unit.services.audit.log.naive import Memory, MemoryHeads

NAME = "billing.events/0"


class Signer(LocalSigner):
    async def vkeys(self) -> list[str]:
        return [vkey(self.name, self.public)]


SIGNER = Signer(f"kept.test/log/{NAME}", bytes(32))
KEYS = [vkey(SIGNER.name, SIGNER.public)]
START = HeadState(NAME, 1, 10, 0, EMPTY_ROOT)


def made(first: int, count: int, value: bytes = b"v") -> list[bytes]:
    """The entries of leaves `first` and on."""
    return [
        encode(Entry(Kind.RECORD, Place("billing.events", 0, 10 + i, 0), (), None, value)) for i in range(first, first + count)
    ]


async def opened(blobs: Memory, heads: MemoryHeads) -> Shard:
    return await Shard.open(heads.state, ShardStore(blobs, NAME), cast(Heads, heads), cast(VaultSigner, SIGNER))


def size_of(blobs: Memory) -> int:
    """The verified size: any fault fails the test."""
    found = verify_shard(blobs, NAME, KEYS)
    assert found.faults == ()
    return found.size


async def test_what_is_appended_verifies() -> None:
    blobs, heads = Memory(), MemoryHeads(START)
    shard = await opened(blobs, heads)
    await shard.append(made(0, 300))
    await shard.append([*made(300, 5), encode(Entry(Kind.RECORD, Place("billing.events", 0, 315, 0), (), None, b"z" * 70_000))])
    assert size_of(blobs) == 306
    assert shard.next_offset == 316
    assert len([n for n in blobs.files if "/large/" in n]) == 1


@pytest.mark.parametrize("done", [False, True], ids=["not persisted", "persisted"])
async def test_every_write_may_fail_once(done: bool) -> None:
    at = 1
    while True:
        blobs, heads = Memory(), MemoryHeads(START)
        await (await opened(blobs, heads)).append(made(0, 250))
        blobs.writes, blobs.fail_at, blobs.done = 0, at, done
        try:
            await (await opened(blobs, heads)).append(made(250, 300))
            break
        except OSError:
            pass
        shard = await opened(blobs, heads)
        await shard.append(made(shard.head.size, 550 - shard.head.size))
        assert size_of(blobs) == 550
        at += 1
    assert at > 5


async def test_a_zombie_cannot_publish() -> None:
    blobs, heads = Memory(), MemoryHeads(START)
    zombie, owner = await opened(blobs, heads), await opened(blobs, heads)
    await owner.append(made(0, 20))
    with pytest.raises(ConflictError):
        await zombie.append(made(0, 7))
    assert size_of(blobs) == 20


async def test_other_bytes_under_an_old_offset_are_tampering() -> None:
    blobs, heads = Memory(), MemoryHeads(START)
    zombie, owner = await opened(blobs, heads), await opened(blobs, heads)
    await owner.append(made(0, 20))
    with pytest.raises(TamperError):
        await zombie.append(made(0, 20, b"another history"))
    assert size_of(blobs) == 20


async def test_a_head_ahead_of_the_checkpoint_is_published() -> None:
    blobs, heads = Memory(), MemoryHeads(START)
    shard = await opened(blobs, heads)
    await shard.append(made(0, 20))
    old = blobs.files[f"{NAME}/checkpoint"]
    await shard.append(made(20, 20))
    blobs.files[f"{NAME}/checkpoint"] = old
    await opened(blobs, heads)
    assert size_of(blobs) == 40


async def test_a_restored_database_does_not_sign_backwards() -> None:
    blobs, heads = Memory(), MemoryHeads(START)
    shard = await opened(blobs, heads)
    await shard.append(made(0, 20))
    earlier = heads.state
    await shard.append(made(20, 300))
    heads.state = earlier
    assert (await opened(blobs, heads)).head.size == 320
    assert heads.state.size == 320
    assert size_of(blobs) == 320


async def test_a_checkpoint_of_another_history_is_never_signed_over() -> None:
    """The head is ahead, and what is published is not a beginning of its tree: nothing may be signed."""
    blobs, heads = Memory(), MemoryHeads(START)
    shard = await opened(blobs, heads)
    await shard.append(made(0, 20))
    await shard.append(made(20, 20))
    other = Memory()
    await (await opened(other, MemoryHeads(START))).append(made(0, 20, b"another history"))
    blobs.files[f"{NAME}/checkpoint"] = other.files[f"{NAME}/checkpoint"]
    before = dict(blobs.files)
    with pytest.raises(TamperError):
        await opened(blobs, heads)
    assert blobs.files == before


async def test_a_database_of_another_history_is_never_signed_over() -> None:
    """The head is behind, and its root is not a beginning of what is published."""
    blobs, heads = Memory(), MemoryHeads(START)
    await (await opened(blobs, heads)).append(made(0, 40))
    heads.state = HeadState(NAME, 1, 10, 20, b"\x01" * 32)
    with pytest.raises(TamperError):
        await opened(blobs, heads)


@pytest.mark.parametrize("lost", ["", "tile/0/001.p/44", "tile/entries/001.p/44"], ids=["another store", "a tile", "a bundle"])
async def test_a_store_without_what_was_promised_is_no_place_to_go_on(lost: str) -> None:
    blobs, heads = Memory(), MemoryHeads(START)
    await (await opened(blobs, heads)).append(made(0, 300))
    for name in [name for name in blobs.files if name.endswith(lost)]:
        del blobs.files[name]
    before = dict(blobs.files)
    with pytest.raises(TamperError):
        await opened(blobs, heads)
    assert blobs.files == before, "nothing was signed, nothing was written"
