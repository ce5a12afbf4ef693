"""What the index takes in is what was signed: one flipped bit anywhere in it, in bundles or in tiles, is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.audit.index.read import BATCH_ENTRIES_MAX, Checkpoints, Published, entries, read
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.store import ShardStore
from services.audit.log.tiles import Edge
from shared.blobs import PosixStore
from shared.errors import TamperError
from shared.notes.note import LocalSigner, sign_note, vkey

SHARD = "kept.customers/0"
SIZES = [1, 255, 256, 257, 700, 1100]


def entry(n: int) -> bytes:
    headers = (("ce_id", f"e{n}".encode()), ("ce_type", b"kept.customers.customer.created.v1"))
    return encode(Entry(Kind.RECORD, Place("kept.customers", 0, n, 1000 + n), headers, None, json.dumps({"n": n}).encode()))


def written(root: Path, size: int) -> tuple[ShardStore, Published]:
    store, edge = ShardStore(PosixStore(root), SHARD), Edge()
    for path, data in [*edge.append([entry(n) for n in range(size)]), *edge.partials()]:
        store.put(path, data)
    return store, Published(size, edge.root())


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[ShardStore, Published]]:
    return {size: written(tmp_path_factory.mktemp(f"log{size}"), size) for size in SIZES}


@given(size=st.sampled_from(SIZES), data=st.data())
@settings(max_examples=40)
def test_every_part_of_a_log_reads_as_it_was_written(
    logs: dict[int, tuple[ShardStore, Published]], size: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, size - 1))
    count = data.draw(st.integers(1, BATCH_ENTRIES_MAX))
    found = entries(*logs[size], start, count)
    assert found == [entry(n) for n in range(start, start + len(found))]
    assert len(found) >= min(count, size - start)


def test_facts_come_in_order(logs: dict[int, tuple[ShardStore, Published]]) -> None:
    batch = read(*logs[700], 300)
    assert [f.ce_id for f in batch.facts] == [f"e{n}" for n in range(300, 700)]
    assert (batch.start, batch.end) == (300, 700)


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    root = tmp_path_factory.mktemp("log")
    store, signed = written(root, 600)
    bundles = sorted((root / SHARD / "tile" / "entries").rglob("[0-9]*"))
    file = data.draw(st.sampled_from([one for one in bundles if one.is_file()]))
    raw = bytearray(file.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.chmod(0o644)
    file.write_bytes(bytes(raw))
    with pytest.raises(TamperError):
        entries(store, signed, 0)


@pytest.mark.parametrize("path", ["tile/entries/001", "tile/entries/002.p/88", "tile/1/000.p/2", "tile/0/002.p/88"])
def test_a_file_that_is_cut_or_gone_is_refused(tmp_path: Path, path: str) -> None:
    store, signed = written(tmp_path, 600)
    file = tmp_path / store.path(path)
    raw = file.read_bytes()
    start = 0 if "entries" in path else 599  # tiles are read for what lies before
    for end in (*range(0, len(raw), 37), len(raw) - 1):
        file.chmod(0o644)
        file.write_bytes(raw[:end])
        with pytest.raises(TamperError):
            entries(store, signed, start)
    file.unlink()
    with pytest.raises(TamperError):
        entries(store, signed, start)


def test_what_is_signed_and_is_no_entry_is_refused(tmp_path: Path) -> None:
    beside = Entry(Kind.LARGE, Place("kept.customers", 0, 1, 1001), body=bytes(40))
    for odd in (b"no entry", encode(beside)):
        store, edge = ShardStore(PosixStore(tmp_path / str(len(odd))), SHARD), Edge()
        for path, data in [*edge.append([entry(0), odd]), *edge.partials()]:
            store.put(path, data)
        with pytest.raises(TamperError, match="entries 0 to 1"):
            read(store, Published(2, edge.root()), 0)


def test_a_bundle_changed_together_with_its_tile_is_refused(tmp_path: Path) -> None:
    store, signed = written(tmp_path / "a", 600)
    other, _ = ShardStore(PosixStore(tmp_path / "b"), SHARD), Edge()
    edge = Edge()
    forged = [entry(n) for n in range(600)]
    forged[5] = entry(999_999)
    for path, data in [*edge.append(forged), *edge.partials()]:
        other.put(path, data)
    with pytest.raises(TamperError):
        entries(other, signed, 0)
    assert entries(store, signed, 0)


def put(store: ShardStore, note: str) -> None:
    store.blobs.replace(store.path("checkpoint"), note.encode())


async def test_a_checkpoint_counts_only_with_the_log_s_signature(tmp_path: Path) -> None:
    store, signed = written(tmp_path, 10)
    ours, theirs = LocalSigner(f"kept.test/log/{SHARD}", b"1" * 32), LocalSigner(f"kept.test/log/{SHARD}", b"2" * 32)
    known: list[str] = []

    async def vkeys(_: str) -> list[str]:
        return known

    checkpoints = Checkpoints(vkeys)
    assert (await checkpoints.newest(store)).size == 0
    text = Checkpoint(ours.name, signed.size, signed.root).text()
    put(store, await sign_note(text, theirs))
    known.append(vkey(ours.name, ours.public))
    with pytest.raises(TamperError):
        await checkpoints.newest(store)
    for none in ("", "\udcff", "a\nb\n\n— c d\n"):
        store.blobs.replace(store.path("checkpoint"), none.encode("utf-8", "surrogateescape"))
        with pytest.raises(TamperError):
            await checkpoints.newest(store)
    put(store, await sign_note(text, ours))
    assert await checkpoints.newest(store) == signed
    known.append(vkey(theirs.name, theirs.public))  # the key was rotated
    put(store, await sign_note(text, theirs))
    assert await checkpoints.newest(store) == signed
    put(store, await sign_note(Checkpoint("kept.test/log/kept.dsar/0", 10, signed.root).text(), ours))
    with pytest.raises(TamperError):
        await checkpoints.newest(store)
