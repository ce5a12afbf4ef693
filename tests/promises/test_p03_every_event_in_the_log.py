"""P3. Every event is in the log, once, in order, provably; one flipped byte anywhere is found and named."""

import asyncio
import json
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import pytest

from services.audit.log import verify as checks
from services.audit.log.entry import parse
from services.audit.log.store import ShardStore
from services.audit.log.tiles import Edge
from services.audit.log.tree import EMPTY_ROOT
from shared.blobs import PosixStore
from shared.notes.note import LocalSigner, sign_note, vkey
from tests.support.logbook import copy_of, log_of
from tests.support.platform import Platform

pytestmark = pytest.mark.platform


def test_the_log_verifies_offline_with_keys_alone(platform: Platform) -> None:
    done = platform.kept("audit", "verify", "--dir", str(log_of(platform)), "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 0, said["faults"]
    assert said["entries"] > 59


def test_every_event_is_one_leaf(platform: Platform) -> None:
    """No event id stands twice in the topics of ours, and each shard's entries are the broker's offsets without a hole."""
    files = PosixStore(log_of(platform))
    shards_of: dict[str, list[str]] = defaultdict(list)
    for shard in checks.shards(files):
        result = checks.verify_shard(files, shard, checks.vkeys(files))
        assert not result.faults
        store = ShardStore(files, shard)
        offsets = []
        for n in range((result.size + 255) // 256):
            for raw in store.entries(n, result.size):
                entry = parse(raw)
                offsets.append(entry.place.offset)
                if entry.header("ce_type").startswith("kept.customers.kernel."):
                    continue  # tests of the kernel deliver an event twice on purpose
                if entry.header("ce_id") and not shard.partition("/")[0].endswith(".dlq"):
                    shards_of[entry.header("ce_id")].append(shard)
        assert offsets == list(range(offsets[0], offsets[0] + len(offsets))) if offsets else result.size == 0
    assert len(shards_of) > 59
    twice = Counter(tuple(shards) for shards in shards_of.values() if len(shards) > 1)
    assert not twice, f"{twice.total()} events stand twice; in: {twice.most_common(20)}"


@pytest.mark.parametrize("kind", ["checkpoint", "tile", "entries"])
def test_one_flipped_byte_is_found_and_named(platform: Platform, tmp_path: Path, kind: str) -> None:
    copy = copy_of(log_of(platform), tmp_path / "log")
    files = PosixStore(copy)
    shard = next(s for s in checks.shards(files) if s.startswith("kept.customers/"))
    size = checks.verify_shard(files, shard, checks.vkeys(files)).size
    names = {
        "checkpoint": "checkpoint",
        "tile": f"tile/0/000.p/{size}" if size < 256 else "tile/0/000",
        "entries": f"tile/entries/000.p/{size}" if size < 256 else "tile/entries/000",
    }
    path = copy / shard / names[kind]
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    done = platform.kept("audit", "verify", "--dir", str(copy), "--json")
    assert done.returncode == 1
    faults = json.loads(done.stdout)["faults"]
    assert {fault["file"] for fault in faults} == {f"{shard}/{names[kind]}"}
    assert {fault["kind"] for fault in faults} == {kind}


def test_an_oversized_entry_is_held_by_its_hash(tmp_path: Path) -> None:
    """A record over 65,535 bytes lies beside the log; a flipped byte in it is found and named too."""
    from services.audit.log.checkpoint import Checkpoint
    from services.audit.log.entry import Entry, Kind, Place, encode

    blobs = PosixStore(tmp_path)
    store = ShardStore(blobs, "big.events/0")
    edge = Edge()
    assert edge.root() == EMPTY_ROOT
    raw = encode(Entry(Kind.RECORD, Place("big.events", 0, 0, 1), (), b"k", b"v" * 100_000))
    written = [*edge.append([store.fitted(raw)]), *edge.partials()]
    for path, data in written:
        store.put(path, data)
    signer = LocalSigner("kept.local/log/big.events/0", bytes(32))
    text = Checkpoint(signer.name, 1, edge.root()).text()
    store.publish(asyncio.run(sign_note(text, signer)))
    keys = [vkey(signer.name, signer.public)]
    assert checks.verify_shard(blobs, "big.events/0", keys).faults == ()
    (large,) = (tmp_path / "big.events" / "0" / "large").iterdir()
    changed = bytearray(large.read_bytes())
    changed[70_000] ^= 1
    large.chmod(0o600)
    large.write_bytes(changed)
    (fault,) = checks.verify_shard(blobs, "big.events/0", keys).faults
    assert (fault.kind, fault.index, fault.file) == ("large", 0, f"big.events/0/large/{large.name}")


def test_the_log_is_public_and_read_only(platform: Platform) -> None:
    with httpx.Client(base_url=platform.origin) as anyone:
        shards = anyone.get("/log/shards").text.split()
        assert "kept.customers/0" in shards
        assert anyone.get("/log/kept.customers/0/checkpoint").text.startswith("kept.local/log/kept.customers/0\n")
        assert anyone.put("/log/kept.customers/0/checkpoint", content=b"x").status_code in (403, 405)
        assert anyone.get("/log/../vault/unseal.json").status_code == 404
