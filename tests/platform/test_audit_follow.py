"""The index follows a log of the test's own: stopped anywhere it loses and repeats nothing; what was changed is not indexed."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from services.audit.index.follow import Follower
from services.audit.index.read import Checkpoints
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Entry, Kind, Place, encode, gap
from services.audit.log.store import SHARDS, ShardStore
from services.audit.log.tiles import Edge
from shared.blobs import PosixStore
from shared.notes.note import LocalSigner, sign_note, vkey
from shared.work import Door
from tests.support.insider import Insider
from tests.support.platform import Platform
from tests.support.trail import made_up_index, rows_of, told_by

pytestmark = pytest.mark.platform
SEED = b"3" * 32
NAMES = ["a.b/0", "a.b/1", "kept.customers/0"]


def entry(shard: str, n: int) -> bytes:
    topic, _, partition = shard.rpartition("/")
    place = Place(topic, int(partition), n, 1_000 * n)
    if n % 97 == 5:
        return encode(gap(place))
    subjects = [f"sub_{n % 7:032x}", f"sub_{n % 5:032x}"]
    headers = [("ce_id", f"{shard}-{n}"), ("ce_type", "kept.customers.records.viewed.v1"), ("ce_actor", f"sub_{n % 3:032x}"),
               ("ce_time", f"2026-0{1 + n % 3}-01T00:00:{n % 60:02d}Z")]  # fmt: skip
    value = json.dumps({"subjects": subjects, "purpose": "support", "fields": {"email": "clear\t\\"}}).encode()
    value += b" " * (70_000 if n == 11 else 0)  # too long for a bundle: stored beside the log
    return encode(Entry(Kind.RECORD, place, tuple((k, v.encode()) for k, v in headers), None, value))


class Log:
    """Written by hand, signed by a key of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = PosixStore(root)
        self._edges = {shard: Edge() for shard in NAMES}
        self.blobs.replace(SHARDS, "".join(f"{s}\n" for s in NAMES).encode())

    async def grow(self, shard: str, count: int) -> None:
        store, edge = ShardStore(self.blobs, shard), self._edges[shard]
        some = [store.fitted(entry(shard, n)) for n in range(edge.size, edge.size + count)]
        for path, data in [*edge.append(some), *edge.partials()]:
            store.put(path, data)
        signer = LocalSigner(f"kept.test/log/{shard}", SEED)
        note = await sign_note(Checkpoint(signer.name, edge.size, edge.root()).text(), signer)
        self.blobs.replace(store.path("checkpoint"), note.encode())

    def follower(self, door: Door) -> Follower:
        async def vkeys(shard: str) -> list[str]:
            signer = LocalSigner(f"kept.test/log/{shard}", SEED)
            return [vkey(signer.name, signer.public)]

        return Follower(self.blobs, door, Checkpoints(vkeys), schema=door.schema)  # type: ignore[attr-defined]


async def test_stopped_anywhere_and_by_two_at_once_it_is_the_same_index(platform: Platform, tmp_path: Path) -> None:
    log, dice = Log(tmp_path), random.Random(7)
    async with made_up_index(platform) as door, made_up_index(platform) as whole:
        for _ in range(8):
            for shard in NAMES:
                await log.grow(shard, dice.randint(0, 700))
            for one in (log.follower(door), log.follower(door)):
                task = asyncio.ensure_future(one.catch_up())
                await asyncio.wait({task}, timeout=dice.random() * 0.2)
                _cut(platform, door)
                await asyncio.wait({task}, timeout=5)
                task.cancel()
        followers = [log.follower(door), log.follower(door)]
        await asyncio.gather(*(one.catch_up() for one in followers))
        await log.follower(whole).catch_up()
        grown, straight = rows_of(platform, door), rows_of(platform, whole)
    assert grown == straight and len(grown["events"]) == sum(n for _, n in grown["positions"]) > 1000
    assert {row[4] for row in grown["events"]} == {"kept.customers.records.viewed.v1", "(gap)"}


def _cut(platform: Platform, door: Door) -> None:
    """What a killed process or database leaves of the transactions under way: nothing."""
    with Insider(platform.state, "audit").connect("audit") as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
        connection.execute(query, [f"%{door.schema}%"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("with_tile", [False, True])
async def test_what_was_changed_is_not_indexed_and_the_rest_is(platform: Platform, tmp_path: Path, with_tile: bool) -> None:
    log = Log(tmp_path)
    for shard in NAMES:
        await log.grow(shard, 600)
    bad = ShardStore(log.blobs, NAMES[0])
    changed = [tmp_path / bad.path("tile/entries/001")]
    whole = {file: file.read_bytes() for file in [*changed, tmp_path / bad.path("tile/0/001")]}
    entries = bad.entries(1, 600)
    entries[9] = entry(NAMES[0], 256 + 9).replace(b"support", b"treason")
    _write(changed[0], b"".join(len(e).to_bytes(2, "big") + e for e in entries))
    if with_tile:
        edge = Edge()
        forged = dict(edge.append([*bad.entries(0, 600), *entries]))
        _write(tmp_path / bad.path("tile/0/001"), forged["tile/0/001"])
    async with made_up_index(platform) as door:
        follower = log.follower(door)
        await follower.catch_up()
        found = rows_of(platform, door)
        assert list(follower.faults) == [NAMES[0]] and "entries 0 to" in follower.faults[NAMES[0]]
        assert dict(found["positions"]) == {NAMES[1]: 600, NAMES[2]: 600}
        assert not any("treason" in str(row) for row in found["events"])
        await follower.catch_up()
        told = told_by(platform, door, "kept.audit.alarm.raised.v1")
        assert told == [{"kind": "tampered", "shard": NAMES[0], "first": 0, "last": 0}], "an alarm, once"
        for file, data in whole.items():
            _write(file, data)
        again = log.follower(door)  # as after a minute
        await again.catch_up()
        assert not again.faults and dict(rows_of(platform, door)["positions"]) == dict.fromkeys(NAMES, 600)


def _write(file: Path, data: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(data)
