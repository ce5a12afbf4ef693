"""P3. Every event is in the log, once, in order, provably; one flipped byte anywhere is found and named."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from aiokafka import ConsumerRecord

from deploy.local.catalog import ACCESS, topics
from deploy.local.flip import copied
from services.audit.log import verify as checks
from services.audit.log.entry import Kind, parse
from services.audit.log.store import ShardStore
from services.audit.log.tiles import Edge
from services.audit.log.tree import EMPTY_ROOT
from shared.blobs import PosixStore
from shared.notes.note import LocalSigner, sign_note, vkey
from tests.support import logbook
from tests.support.insider import Insider, wait_until
from tests.support.logbook import log_of
from tests.support.platform import Platform
from tests.support.staff import signed_in
from tests.support.topic import raw as records_of

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


async def test_whatever_the_broker_has_the_log_has_byte_for_byte(platform: Platform) -> None:
    """Every topic of the catalogue, to its end; also what is no event at all. Ours as they came, the others by their place."""
    for topic, writer in {topic: name for name, access in ACCESS.items() for topic in access.writes}.items():
        if not topic.endswith(".dlq"):  # those fill by themselves: the holders bury what is no command
            async with Insider(platform.state, writer).producer() as producer:
                await producer.send_and_wait(topic, b"\xff no event", key=b"", headers=[("ce_type", b"\xff")])
    for topic in (one.name for one in topics()):
        records = await records_of(platform.state, topic)
        with suppress(AssertionError):  # below, with the shards' names
            await asyncio.to_thread(wait_until, lambda of=topic, records=records: not behind(platform, of, records))  # type: ignore[misc]
        assert behind(platform, topic, records) == [], "the log does not have all that the broker has"
        for partition in {one.partition for one in records}:
            told = {one.offset: one for one in records if one.partition == partition}
            found = {one.place.offset: one for one in logbook.entries(platform.origin, f"{topic}/{partition}")}
            kept = {offset for offset, entry in found.items() if entry.kind is not Kind.GAP}
            assert set(told) <= kept, f"{topic}/{partition}: not in the log: {sorted(set(told) - kept)[:5]}"
            for offset, entry in found.items():
                if entry.kind is Kind.RECORD and offset in told:
                    one = told[offset]
                    assert (entry.key, entry.value, entry.place.timestamp) == (one.key, one.value, one.timestamp)
                    assert tuple(entry.headers) == tuple(one.headers), f"{topic}/{partition} offset {offset}"
            if topic == "kept.customers":
                assert Kind.RECORD in {entry.kind for entry in found.values()}


def behind(platform: Platform, topic: str, records: "Sequence[ConsumerRecord[bytes, bytes]]") -> list[str]:
    """Shards of which no published checkpoint covers all of these records yet."""
    told = Counter(f"{topic}/{one.partition}" for one in records)
    return [shard for shard, count in told.items() if logbook.size(platform.origin, shard) < count]


def test_a_log_that_goes_back_is_caught_by_who_saw_it_before(platform: Platform, tmp_path: Path) -> None:
    """An administrator puts back an older copy: every signature in it is good, and the last events are dropped."""
    older = copied(log_of(platform), tmp_path / "older")
    with signed_in(platform, "jane") as jane:
        there = sum(logbook.size(platform.origin, f"kept.customers/{n}") for n in range(3))

        def looked() -> bool:
            jane.get("/api/customers", params={"limit": 1}).raise_for_status()
            return sum(logbook.size(platform.origin, f"kept.customers/{n}") for n in range(3)) > there

        wait_until(looked)
    memory = tmp_path / "memory"
    memory.mkdir()
    now = platform.kept("audit", "verify", "--dir", str(log_of(platform)), "--seen", str(memory), "--json")
    assert now.returncode == 0, now.stdout
    back = platform.kept("audit", "verify", "--dir", str(older), "--seen", str(memory), "--json")
    assert back.returncode == 1, "the log went back, and nobody noticed"
    assert "were seen before" in back.stdout


@pytest.mark.parametrize("kind", ["checkpoint", "tile", "entries"])
def test_one_flipped_byte_is_found_and_named(platform: Platform, tmp_path: Path, kind: str) -> None:
    copy = copied(log_of(platform), tmp_path / "log")
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
        name = platform.environment("audit")["KEPT_LOG_NAME"]
        assert anyone.get("/log/kept.customers/0/checkpoint").text.startswith(f"{name}/kept.customers/0\n")
        assert anyone.put("/log/kept.customers/0/checkpoint", content=b"x").status_code in (403, 405)
        assert anyone.get("/log/../vault/unseal.json").status_code == 404
