"""Verification names every fault by file, index and kind. One byte in each kind of file, and several at once."""

from hashlib import sha256

import pytest

from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Entry, Kind, Place, encode, large
from services.audit.log.tree import EMPTY_ROOT
from services.audit.log.verify import Fault, verify_shard
from shared.errors import TamperError
from shared.notes.note import LocalSigner, sign_note, vkey
from tests.unit.services.audit.log.naive import Memory, MemoryHeads
from tests.unit.services.audit.log.test_shard import KEYS, NAME, START, made, opened

LARGE = 400


@pytest.fixture
async def blobs() -> Memory:
    """600 leaves; the one at LARGE lies beside the log."""
    store = Memory()
    big = encode(Entry(Kind.RECORD, Place("billing.events", 0, 10 + LARGE, 0), (), None, b"z" * 70_000))
    shard = await opened(store, MemoryHeads(START))
    await shard.append([*made(0, LARGE), big, *made(LARGE + 1, 199)])
    return store


def flip(store: Memory, name: str, at: int) -> None:
    data = bytearray(store.files[name])
    data[at] ^= 1
    store.files[name] = bytes(data)


def faults(store: Memory) -> list[Fault]:
    return list(verify_shard(store, NAME, KEYS).faults)


def named(store: Memory) -> list[tuple[str, str, int]]:
    return sorted((f.file.removeprefix(f"{NAME}/"), f.kind, f.index) for f in faults(store))


def large_of(store: Memory) -> str:
    return next(n for n in store.files if "/large/" in n)


def test_nothing_wrong(blobs: Memory) -> None:
    assert faults(blobs) == []


@pytest.mark.parametrize(
    ("file", "at", "kind", "index"),
    [
        ("tile/0/000", 32 * 100 + 5, "tile", 100),
        ("tile/0/002.p/88", 32 * 3, "tile", 515),
        ("tile/1/000.p/2", 40, "tile", 256),
    ],
)
def test_one_byte_of_a_tile(blobs: Memory, file: str, at: int, kind: str, index: int) -> None:
    flip(blobs, f"{NAME}/{file}", at)
    assert named(blobs) == [(file, kind, index)]


def test_one_byte_of_an_entry(blobs: Memory) -> None:
    flip(blobs, f"{NAME}/tile/entries/000", len(blobs.files[f"{NAME}/tile/entries/000"]) - 1)
    assert named(blobs) == [("tile/entries/000", "entries", 255)]


def test_one_byte_of_a_large_entry(blobs: Memory) -> None:
    name = large_of(blobs)
    flip(blobs, name, 5)
    assert named(blobs) == [(name.removeprefix(f"{NAME}/"), "large", LARGE)]


@pytest.mark.parametrize("at", [5, -20, 40])
def test_one_byte_of_the_checkpoint(blobs: Memory, at: int) -> None:
    flip(blobs, f"{NAME}/checkpoint", at)
    assert [f[:2] for f in named(blobs)] == [("checkpoint", "checkpoint")]


def test_another_key_is_refused(blobs: Memory) -> None:
    other = LocalSigner(f"kept.test/log/{NAME}", b"\x01" * 32)
    assert verify_shard(blobs, NAME, [vkey(other.name, other.public)]).faults[0].kind == "checkpoint"


async def swapped(beside: bytes, length: int | None = None) -> list[tuple[str, str, int]]:
    """The faults of a log of one leaf whose entry lies beside it and is `beside`, as the writer itself signed it."""
    digest = sha256(beside).digest()
    store, said = Memory(), len(beside) if length is None else length
    leaf = encode(large(Place("billing.events", 0, 10, 0), digest, said))
    await (await opened(store, MemoryHeads(START))).append([leaf])
    store.files[f"{NAME}/large/{digest.hex()}"] = beside
    return named(store)


async def test_a_large_entry_that_is_not_what_the_log_says_of_it(blobs: Memory) -> None:
    """Its value, its length, its place: each by itself, with every hash above it right."""
    right = encode(Entry(Kind.RECORD, Place("billing.events", 0, 10, 0), (), None, b"z" * 70_000))
    assert await swapped(right) == []
    elsewhere = encode(Entry(Kind.RECORD, Place("billing.events", 0, 11, 0), (), None, b"z" * 70_000))
    gap = encode(Entry(Kind.GAP, Place("billing.events", 0, 10, 0)))
    for beside, length in ((elsewhere, None), (gap, None), (right, len(right) - 1), (b"no entry", None)):
        assert [(kind, index) for _, kind, index in await swapped(beside, length)] == [("large", 0)]
    name = large_of(blobs)
    flip(blobs, name, len(blobs.files[name]) - 1)  # in the value: it still parses, and is of this place
    assert named(blobs) == [(name.removeprefix(f"{NAME}/"), "large", LARGE)]


def test_every_fault_is_named_not_only_the_first(blobs: Memory) -> None:
    large = large_of(blobs)
    flip(blobs, large, 5)
    flip(blobs, f"{NAME}/tile/0/000", 3)
    flip(blobs, f"{NAME}/tile/1/000.p/2", 3)
    del blobs.files[f"{NAME}/tile/0/002.p/88"]
    assert {f[1] for f in named(blobs)} == {"large", "tile", "missing"}
    assert len(faults(blobs)) == 4


def test_two_faults_in_one_tile_are_both_named(blobs: Memory) -> None:
    flip(blobs, f"{NAME}/tile/0/000", 32 * 10)
    flip(blobs, f"{NAME}/tile/0/000", 32 * 20)
    assert named(blobs) == [("tile/0/000", "tile", 10), ("tile/0/000", "tile", 20)]


def test_an_entry_and_a_tile_of_other_places_at_once(blobs: Memory) -> None:
    """Neither all entries nor all tiles lead to the signed root; each fault must still be named as what it is."""
    flip(blobs, f"{NAME}/tile/entries/000", len(blobs.files[f"{NAME}/tile/entries/000"]) - 1)
    flip(blobs, f"{NAME}/tile/0/001", 32 * 7)
    assert named(blobs) == [("tile/0/001", "tile", 263), ("tile/entries/000", "entries", 255)]


@pytest.mark.parametrize("name", ["tile/0/001", "tile/entries/001", "tile/1/000.p/2", "checkpoint"])
def test_a_missing_file(blobs: Memory, name: str) -> None:
    del blobs.files[f"{NAME}/{name}"]
    assert [f[:2] for f in named(blobs)] == [(name, "missing")]


def test_a_missing_large_entry(blobs: Memory) -> None:
    name = large_of(blobs)
    del blobs.files[name]
    assert named(blobs) == [(name.removeprefix(f"{NAME}/"), "missing", LARGE)]


@pytest.mark.parametrize("name", ["tile/0/001", "tile/entries/001", "tile/1/000.p/2", "checkpoint"])
def test_an_empty_file(blobs: Memory, name: str) -> None:
    blobs.files[f"{NAME}/{name}"] = b""
    assert [f[0] for f in named(blobs)] == [name]


async def test_a_signed_entry_of_another_place_is_named() -> None:
    """The writer itself skipped an offset: every hash is right, and the log is not."""
    store = Memory()
    await (await opened(store, MemoryHeads(START))).append([*made(0, 2), *made(5, 1)])
    assert named(store) == [("tile/entries/000.p/3", "entries", 2)]


async def test_an_empty_shard_verifies() -> None:
    store = Memory()
    await opened(store, MemoryHeads(START))
    assert list(store.files) == [f"{NAME}/checkpoint"]
    assert faults(store) == []


@pytest.mark.parametrize("name", ["tile/0/001", "tile/entries/001", "tile/1/000.p/2"])
def test_a_file_that_the_store_knows_to_be_hidden(blobs: Memory, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    get = blobs.get

    def hiding(path: str) -> bytes:
        if path == f"{NAME}/{name}":
            raise TamperError("hidden")
        return get(path)

    monkeypatch.setattr(blobs, "get", hiding)
    assert [f[:2] for f in named(blobs)] == [(name, "missing")]


async def test_another_shards_key_does_not_speak_for_this_one() -> None:
    """The same secret key, as in Vault, under the name of another shard."""
    store, other = Memory(), LocalSigner("kept.test/log/billing.events/1", bytes(32))
    origin = f"kept.test/log/{NAME}"
    store.files[f"{NAME}/checkpoint"] = (await sign_note(Checkpoint(origin, 0, EMPTY_ROOT).text(), other)).encode()
    keys = [*KEYS, vkey(other.name, other.public)]
    assert [f.kind for f in verify_shard(store, NAME, keys).faults] == ["checkpoint"]


async def test_another_shards_checkpoint_does_not_make_this_one_empty(blobs: Memory) -> None:
    """Rightly signed, by the key of a shard in which nothing ever was: what is under this one would be hidden."""
    other = LocalSigner("kept.test/log/billing.events/1", bytes(32))
    blobs.files[f"{NAME}/checkpoint"] = (await sign_note(Checkpoint(other.name, 0, EMPTY_ROOT).text(), other)).encode()
    keys = [*KEYS, vkey(other.name, other.public)]
    assert [(f.file, f.kind) for f in verify_shard(blobs, NAME, keys).faults] == [(f"{NAME}/checkpoint", "checkpoint")]
