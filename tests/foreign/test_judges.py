"""Verifiers that we did not write read what our log writes: Tessera's fsck, and golang.org/x/mod/sumdb/tlog."""

import json
import random
import shutil
from pathlib import Path

import pytest

from services.audit.index.receipts import receipt
from services.audit.log import proof
from services.audit.log.store import ShardStore
from shared.blobs import PosixStore
from shared.notes.note import LocalSigner, vkey
from tests.support.fsck import fsck, tlog
from tests.support.logs import NAME, VKEY, records, written

SIZE = 70_000  # two full levels of tiles, and one hash above them
SMALL = 600


@pytest.fixture(scope="module")
async def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, bytes]]]:
    """SIZE entries in batches of odd sizes, some too large for a bundle; and (size, root) after each batch."""
    root, made, batches = tmp_path_factory.mktemp("log"), records(0, SIZE), []
    at = 0
    for width in (1, 254, 1, 1, 255, 300, 5_000, 60_000, SIZE):
        batches.append(made[at : at + width])
        at += width
    return root, await written(root, batches)


@pytest.fixture(scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small")
    await written(root, [records(0, SMALL)])
    return root


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257])
async def test_small_logs(tmp_path: Path, size: int) -> None:
    past = await written(tmp_path, [records(0, size)])
    found = fsck(tmp_path / NAME, VKEY)
    assert (found.size, found.root) == (past[-1][0], past[-1][1].hex()), found.said


def test_seventy_thousand_entries(log: tuple[Path, list[tuple[int, bytes]]]) -> None:
    root, past = log
    found = fsck(root / NAME, VKEY)
    assert (found.size, found.root) == (past[-1][0], past[-1][1].hex()), found.said


def test_every_earlier_size_is_still_a_whole_log(log: tuple[Path, list[tuple[int, bytes]]], tmp_path: Path) -> None:
    """Partial tiles stay for every published size: consistency proofs and old receipts depend on them."""
    root, past = log
    store = ShardStore(PosixStore(root), NAME)
    for size, old in past:
        assert store.nodes(size).range(0, size) == old
    random.seed(6962)
    picked = [0, 1, 255, 256, SIZE // 2, SIZE - 1, *random.sample(range(SIZE), 20)]
    receipts = [receipt(PosixStore(root), NAME, i) for i in picked]
    proofs = [(size, old.hex(), [h.hex() for h in proof.consistency(store.nodes(SIZE), size)]) for size, old in past]
    done = tlog(root / NAME, VKEY, receipts=receipts, consistency=proofs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"size": SIZE, "root": past[-1][1].hex()}


@pytest.mark.parametrize("file", ["checkpoint", "tile/entries/001", "tile/entries/002.p/88", "tile/0/000", "tile/1/000.p/2"])
def test_one_flipped_byte_is_found_by_both(small: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(small, tmp_path / "log")
    path = tmp_path / "log" / NAME / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    assert not fsck(tmp_path / "log" / NAME, VKEY).whole
    assert tlog(tmp_path / "log" / NAME, VKEY).returncode == 1


def test_another_key_is_refused_by_both(small: Path) -> None:
    stranger = LocalSigner(VKEY.partition("+")[0], b"\x01" * 32)
    other = vkey(stranger.name, stranger.public)
    assert not fsck(small / NAME, other).whole
    assert tlog(small / NAME, other).returncode == 1


def test_wrong_proofs_are_refused(small: Path) -> None:
    good = receipt(PosixStore(small), NAME, 300)
    assert tlog(small / NAME, VKEY, receipts=[good]).returncode == 0
    assert tlog(small / NAME, VKEY, receipts=[good.replace("index 300", "index 301")]).returncode == 1
    assert tlog(small / NAME, VKEY, consistency=[(300, "00" * 32, [])]).returncode == 1
