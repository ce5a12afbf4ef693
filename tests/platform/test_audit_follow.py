"""The index follows a log of the test's own: stopped anywhere it loses and repeats nothing; what was changed is not indexed."""

import asyncio
import dataclasses
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from services.audit.holder import AuditHolder
from services.audit.index import follow
from services.audit.index.facts import Facts
from services.audit.index.follow import Follower
from services.audit.index.load import Prepared
from services.audit.index.partitions import schema_sql
from services.audit.index.read import BATCH_ENTRIES_MAX, Checkpoints, Published
from services.audit.index.tables import NEXT, Known
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Entry, Kind, Place, encode, gap
from services.audit.log.head import SYSTEM
from services.audit.log.store import SHARDS, ShardStore
from services.audit.log.tiles import Edge
from shared.blobs import PosixStore
from shared.ids import new_id
from shared.loops.aside import InMemory
from shared.loops.items import Items
from shared.notes.note import LocalSigner, sign_note, vkey
from shared.work import Door
from tests.support.insider import Insider
from tests.support.platform import Platform
from tests.support.trail import SHARD, fill, made_up_index, rows_of, told_by

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

    def follower(self, door: Door, items: Items | None = None) -> Follower:
        async def vkeys(shard: str) -> list[str]:
            signer = LocalSigner(f"kept.test/log/{shard}", SEED)
            return [vkey(signer.name, signer.public)]

        schema: str = door.schema  # type: ignore[attr-defined]
        return Follower(self.blobs, door, Checkpoints(vkeys), schema=schema, items=items)


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


@pytest.mark.parametrize("how", ["changed", "changed with its tile", "cut", "gone"])
async def test_what_was_changed_is_not_indexed_and_the_rest_is(platform: Platform, tmp_path: Path, how: str) -> None:
    log = Log(tmp_path)
    for shard in NAMES:
        await log.grow(shard, 600)
    bad = ShardStore(log.blobs, NAMES[0])
    bundle, tile = tmp_path / bad.path("tile/entries/001"), tmp_path / bad.path("tile/0/001")
    whole = {file: file.read_bytes() for file in (bundle, tile)}
    entries = bad.entries(1, 600)
    entries[9] = entry(NAMES[0], 256 + 9).replace(b"support", b"treason")
    if how == "gone":
        bundle.unlink()
    else:
        _write(bundle, whole[bundle][:-1] if how == "cut" else b"".join(len(e).to_bytes(2, "big") + e for e in entries))
    if how == "changed with its tile":
        edge = Edge()
        forged = dict(edge.append([*bad.entries(0, 600), *entries]))
        _write(tile, forged["tile/0/001"])
    async with made_up_index(platform) as door:
        follower = log.follower(door)
        await asyncio.gather(*(one.catch_up() for one in (follower, log.follower(door))))
        found = rows_of(platform, door)
        assert list(follower.faults) == [NAMES[0]] and "entries 0 to 599" in follower.faults[NAMES[0]]
        assert dict(found["positions"]) == {NAMES[1]: 600, NAMES[2]: 600}
        assert not any("treason" in str(row) for row in found["events"])
        await follower.catch_up()
        await log.follower(door).catch_up()  # as after a restart
        told = told_by(platform, door, "kept.audit.alarm.raised.v1")
        assert told == [{"kind": "tampered", "shard": NAMES[0], "first": 0, "last": 0}], "an alarm, once"
        for file, data in whole.items():
            _write(file, data)
        again = log.follower(door)  # as after a minute
        await again.catch_up()
        assert not again.faults and dict(rows_of(platform, door)["positions"]) == dict.fromkeys(NAMES, 600)
        await log.grow(NAMES[0], 600)
        tile = tmp_path / bad.path("tile/entries/003")
        _write(tile, tile.read_bytes()[:-1])
        await asyncio.gather(*(log.follower(door).catch_up() for _ in range(2)))
        assert len(told_by(platform, door, "kept.audit.alarm.raised.v1")) == 2, "another change is another alarm"


async def test_what_one_follower_sets_aside_another_leaves_alone_tries_when_asked_to_and_ends(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, memory, tries = Log(tmp_path), InMemory(), list[str]()
    for shard in NAMES:
        await log.grow(shard, 300)
    whole = follow._next

    def failing(store: ShardStore, end: Published, start: int) -> Prepared:
        tries.append(store.shard)
        if store.shard == NAMES[0]:
            raise ZeroDivisionError
        return whole(store, end, start)

    monkeypatch.setattr(follow, "FLOOR_SECONDS", 0.0)
    async with made_up_index(platform) as door:
        first, second = (log.follower(door, Items("index", memory, again=60)) for _ in range(2))
        monkeypatch.setattr(follow, "_next", failing)
        await first.catch_up()
        assert list(await memory.of("index")) == [NAMES[0]]
        await second.catch_up()
        assert tries.count(NAMES[0]) == 1, "it waits for both"
        monkeypatch.setattr(follow, "_next", whole)
        aside = (await memory.of("index"))[NAMES[0]]
        await memory.put(dataclasses.replace(aside, next_try_at=memory.clock.now(), tries=0))  # as `kept set-aside retry` does
        await second.catch_up()
        assert not await memory.of("index") and dict(rows_of(platform, door)["positions"]) == dict.fromkeys(NAMES, 300)
        await memory.put(aside)  # the first one's word came late, and it died
        await log.grow(NAMES[1], 1)
        await second.catch_up()
        await memory.put(dataclasses.replace(aside, next_try_at=memory.clock.now()))
        await second.catch_up()
        assert not await memory.of("index"), "all of it is indexed: nothing is left to be tried"


async def test_a_shard_that_another_is_at_work_on_is_left_to_it(platform: Platform, tmp_path: Path) -> None:
    log = Log(tmp_path)
    for shard in NAMES:
        await log.grow(shard, 3 * BATCH_ENTRIES_MAX if shard == NAMES[0] else 600)
    async with made_up_index(platform) as door:
        late, quick = log.follower(door), log.follower(door)
        moves: list[tuple[str, int]] = []
        other: list[asyncio.Task[int]] = []

        def moved(shard: str, at: int, size: int) -> None:
            moves.append((shard, at))
            if not other:  # `late` has read its next batch of each shard, or will
                other.append(asyncio.ensure_future(quick.catch_up()))

        await late.catch_up(moved)
        await other[0]
        sizes = {NAMES[0]: 3 * BATCH_ENTRIES_MAX, NAMES[1]: 600, NAMES[2]: 600}
        found = rows_of(platform, door)
        assert dict(found["positions"]) == sizes and len(found["events"]) == sum(sizes.values())
        await late.catch_up()
        assert late.at == sizes and not any(late.behind.values())


async def test_every_fact_stands_in_its_row(platform: Platform) -> None:
    texts = ["", "a\tb\nc\\N\r", "\\.", "é\U0001f600\u2028", "NULL", "'; --", "x" * 200]
    times = [datetime(2, 1, 1, tzinfo=UTC), datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC), datetime(2000, 1, 1, tzinfo=UTC),
             datetime(2026, 1, 31, 23, 59, 59, 1, UTC), datetime(9998, 12, 31, tzinfo=UTC)]  # fmt: skip
    details = [{}, {"a": [], "b": {}, "c": True, "d": 2**63 - 1, "e": -(2**63) + 1}, {text: [text] for text in texts}]
    made = [
        Facts(text, texts[-i - 1], f"actor {i}", "", at, "0" * 32, text, bool(i % 2), ("sub_a", "sub_b")[: i % 3], (), detail)
        for at in times
        for i, text in enumerate(texts)
        for detail in details
    ]
    async with made_up_index(platform) as door:
        await fill(door, made)
        found = rows_of(platform, door)
    assert [(*row[:1], *row[3:]) for row in found["events"]] == [
        (f.time, f.ce_id, f.type, f.actor, f.subject, f.trace, f.purpose, f.look, f.detail) for f in made
    ]
    assert [row[:2] for row in found["about"]] == [(subject, f.time) for f in made for subject in f.about]
    assert found["positions"] == [(SHARD, len(made))]


def told(subject: str, *locators: str) -> Facts:
    """What a customer's event says."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Facts("", "kept.customers.customer.updated.v1", "", subject, at, "", "", False, (subject,), locators, {})


async def known(door: Door, subject: str) -> set[str]:
    async with door.begin(SYSTEM) as w:
        return set(await w.session.scalars(select(Known.locator).where(Known.subject == subject)))


async def test_people_are_found_by_their_newest_locators_and_not_once_they_are_erased(platform: Platform) -> None:
    subject = new_id("sub")
    first, second, third = (f"loc_1_{subject}_{n}" for n in range(3))
    async with made_up_index(platform) as door:
        await fill(door, [told(subject, first, second)])
        await fill(door, [told(subject, first), told(new_id("sub")), told(subject, second, third)])
        assert await known(door, subject) == {second, third}
        async with door.begin(SYSTEM) as w:
            await AuditHolder().erase(w, subject, new_id("req"))
        assert await known(door, subject) == set()
        await fill(door, [told(subject, first)])
        assert await known(door, subject) == set()


async def test_who_shares_an_address_with_others_is_found_by_it_too(platform: Platform) -> None:
    one, other = new_id("sub"), new_id("sub")
    shared = f"loc_1_{one}"
    async with made_up_index(platform) as door:
        await fill(door, [told(one, shared), told(other, shared)])
        async with door.begin(SYSTEM) as w:
            assert {found.subject for found in await AuditHolder().locate(w, [shared])} == {one, other}
        await fill(door, [told(one, f"loc_2_{one}")])
        assert (await known(door, one), await known(door, other)) == ({f"loc_2_{one}"}, {shared})


async def test_who_is_erased_during_a_rebuild_is_not_found_after_it(platform: Platform) -> None:
    subject, table = new_id("sub"), f"{NEXT}.known_locators"
    with Insider(platform.state, "audit").connect("audit") as connection:
        for statement in schema_sql(NEXT):
            connection.execute(statement)  # type: ignore[arg-type]  # ours
        connection.execute(f"INSERT INTO {table} VALUES ('loc_1', %s)", [subject])
        connection.commit()
        try:
            async with made_up_index(platform) as door, door.begin(SYSTEM) as w:
                await AuditHolder().erase(w, subject, new_id("req"))
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == []
        finally:
            connection.rollback()
            connection.execute(f"DROP SCHEMA {NEXT} CASCADE")


async def test_who_is_erased_while_their_event_is_indexed_is_not_found_afterwards(platform: Platform) -> None:
    subject = new_id("sub")
    async with made_up_index(platform) as door:
        async with door.begin(SYSTEM) as w:
            await AuditHolder().erase(w, subject, new_id("req"))
            filling = asyncio.ensure_future(fill(door, [told(subject, f"loc_1_{subject}")]))
            async with asyncio.timeout(120):
                while not filling.done() and not _waiting(platform):
                    await asyncio.sleep(0.02)
        await filling
        assert await known(door, subject) == set()


def _waiting(platform: Platform) -> bool:
    """Whether somebody waits for another's transaction to end."""
    with Insider(platform.state, "audit").connect("audit") as connection:
        here = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        query = f"SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted AND pid IN ({here})"
        return connection.execute(query).fetchone() == (True,)


def _write(file: Path, data: bytes) -> None:
    if file.exists():
        file.chmod(0o644)
    file.write_bytes(data)
