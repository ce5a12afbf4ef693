"""Publishing with witnesses that are away, hang, lie, or know another history. The witnesses are ours, and real; only the way
to them is made up."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import pytest
import uvicorn

import services.audit.log.witnesses as asking
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.head import AnotherOwnerError, Heads
from services.audit.log.publishing import Publisher
from services.audit.log.shard import Shard
from services.audit.log.store import ShardStore
from services.audit.log.tree import EMPTY_ROOT
from services.audit.log.verify import verify_shard
from services.audit.log.witnesses import Asked, Policy, Witnesses
from services.audit.witness.app import Witness, app
from services.audit.witness.key import KINDS, opened
from services.audit.witness.trust import Trusted
from shared.clock import FixedClock
from shared.errors import KeptError, MalformedError, TamperError
from shared.notes.cosignature import Quorum, cosigned
from shared.notes.note import LocalSigner, VaultSigner, sign_note
from tests.unit.services.audit.log.naive import Memory, MemoryHeads
from tests.unit.services.audit.log.test_shard import KEYS, NAME, SIGNER, START, made
from tests.unit.services.audit.witness.conftest import NOW

LONG, SHORT = 600.0, 2.0  # what one witness is given: for ever where nobody hangs, and where somebody must be waited for
SOON = 60.0  # of a machine four times slower, and far less than LONG


class Net(httpx.AsyncBaseTransport):
    """The way to the witnesses, by host: `faults` says what happens there instead."""

    def __init__(self, hosts: dict[str, Witness]) -> None:
        self._hosts = {host: httpx.ASGITransport(app(witness)) for host, witness in hosts.items()}
        self.faults: dict[str, Callable[[httpx.Request], httpx.Response] | str] = {}
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault = self.faults.get(request.url.host)
        self.asked.append(request.url.host)
        if fault == "hangs":
            await asyncio.sleep(3600)
        if fault == "down":
            raise httpx.ConnectError("refused")
        if callable(fault):
            return fault(request)
        answer = await self._hosts[request.url.host].handle_async_request(request)
        if fault == "lost":
            raise httpx.ReadError("the answer is lost")
        return answer


@dataclass
class World:
    """One shard, its owner, and two witnesses."""

    net: Net
    vkeys: list[str]
    signing: list[Witness]
    keys: Path
    blobs: Memory = field(default_factory=Memory)
    heads: MemoryHeads = field(default_factory=lambda: MemoryHeads(START))
    shards: list[Shard] = field(default_factory=list)
    failed: dict[Shard, KeptError] = field(default_factory=dict)
    limit: float = LONG

    def publisher(self, needed: int = 0, *, closed: bool = False) -> Publisher:
        text = " ".join(f"{one} http://{host}/" for one, host in zip(self.vkeys, ("one", "two"), strict=True))
        policy = Policy.of(text, needed, closed=closed, seconds=self.limit)
        assert policy is not None
        return Publisher(Witnesses(policy, self.net), lambda: self.shards, self._failed, lambda: None)

    async def _failed(self, failed: object) -> None:
        self.failed |= cast(dict[Shard, KeptError], failed)

    async def open(self) -> Shard:
        shard = await Shard.open(
            self.heads.state, ShardStore(self.blobs, NAME), cast(Heads, self.heads), cast(VaultSigner, SIGNER), deferred=True
        )
        self.shards = [shard]
        return shard

    @property
    def published(self) -> tuple[int, int]:
        """(size, how many witnesses) of the published checkpoint, verified; -1 where there is none."""
        note = ShardStore(self.blobs, NAME).checkpoint()
        if note is None:
            return -1, 0
        assert verify_shard(self.blobs, NAME, KEYS).faults == ()
        return int(note.split("\n")[1]), len(cosigned(note, Quorum.of(self.vkeys).witnesses))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(asking._Pause, "again", lambda _: None)
    with world_in(tmp_path) as one:
        yield one


@contextmanager
def world_in(root: Path) -> Iterator[World]:
    (root / "keys").write_text(KEYS[0])
    signing = []
    for name, kind in (("w.test/one", "ed25519"), ("w.test/two", "ml-dsa-44")):
        key, memory = opened(root / name, name, KINDS[kind])
        signing.append(Witness(key, memory, Trusted(root / "keys", []), FixedClock(NOW)))
    yield World(Net(dict(zip(("one", "two"), signing, strict=True))), [one.key.vkey for one in signing], signing, root / "keys")
    for one in signing:
        one.memory.close()


async def test_what_is_published_has_its_quorum(world: World) -> None:
    publisher, shard = world.publisher(), await world.open()
    await publisher.round()
    assert world.published == (0, 2)
    for first, count in ((0, 300), (300, 1), (301, 700)):
        await shard.append(made(first, count))
        assert world.published[0] == first, "it is published in rounds alone"
        await publisher.round()
        assert world.published == (first + count, 2)
    asked = len(world.net.asked)
    await publisher.round()
    assert len(world.net.asked) == asked, "nothing is owed, and somebody was asked"
    assert (publisher.unwitnessed, publisher._witnesses.states) == ({}, {"w.test/one": "signs", "w.test/two": "signs"})


@pytest.mark.parametrize("fault", ["down", "hangs"])
async def test_open_it_publishes_without_and_again_with(world: World, fault: str) -> None:
    world.limit = SHORT
    publisher, shard = world.publisher(), await world.open()
    await publisher.round()
    world.net.faults["two"] = fault
    await shard.append(made(0, 5))
    await publisher.round()
    assert world.published == (5, 1)
    assert publisher.unwitnessed == {NAME: 5}
    assert publisher._witnesses.states["w.test/two"] == "away"
    world.net.faults.clear()
    await publisher.round()
    assert world.published == (5, 2)
    assert publisher.unwitnessed == {}


async def test_closed_it_waits_and_then_publishes_the_newest(world: World) -> None:
    publisher, shard = world.publisher(closed=True), await world.open()
    await publisher.round()
    world.net.faults["one"] = "down"
    for first in (0, 5):
        await shard.append(made(first, 5))
        await publisher.round()
        assert world.published == (0, 2)
    assert publisher.unwitnessed == {NAME: 10}
    assert shard.published_offset == START.base, "what waits for witnesses is behind"
    world.net.faults.clear()
    await publisher.round()
    assert (world.published, publisher.unwitnessed) == ((10, 2), {})


async def test_one_that_hangs_costs_its_limit_and_nothing_where_it_is_not_needed(world: World) -> None:
    world.net.faults["two"] = "hangs"
    for needed, limit in ((2, SHORT), (1, LONG)):
        shard = await world.open()
        await shard.append(made(shard.head.size, 5))
        world.limit = limit
        began = time.monotonic()
        async with asyncio.timeout(SOON):
            await world.publisher(needed).round()
        assert needed == 1 or time.monotonic() - began >= SHORT, "it was not waited for"
        assert world.published == (shard.head.size, 1)


async def test_killed_between_the_cosignatures_and_the_checkpoint(world: World) -> None:
    publisher, shard = world.publisher(closed=True), await world.open()
    await publisher.round()
    await shard.append(made(0, 300))
    world.blobs.fail_at = world.blobs.writes + 1
    with pytest.raises(OSError, match="disk"):
        await publisher.round()
    assert world.published == (0, 2)
    again, shard = world.publisher(closed=True), await world.open()
    await shard.append(made(300, 7))
    await again.round()
    assert world.published == (307, 2)


async def test_a_writer_that_is_behind_its_witness_waits_for_its_records(world: World) -> None:
    """Killed before it published, and the database restored to an earlier moment: the same records come again."""
    publisher, shard = world.publisher(closed=True), await world.open()
    await shard.append(made(0, 20))
    await publisher.round()
    earlier = world.heads.state
    await shard.append(made(20, 30))
    world.blobs.fail_at = world.blobs.writes + 1
    with pytest.raises(OSError, match="disk"):
        await publisher.round()
    world.heads.state = earlier
    again, shard = world.publisher(closed=True), await world.open()
    await shard.append(made(20, 10))
    await again.round()
    assert (world.published, world.failed, again.unwitnessed) == ((20, 2), {}, {NAME: 30})
    assert again._witnesses.states["w.test/one"] == "is ahead of the log"
    await shard.append(made(30, 30))
    await again.round()
    assert world.published == (60, 2)


async def rewritten(world: World) -> Shard:
    """Another history of 9 leaves, signed by the log's own key, in the place of the one that the witnesses saw."""
    publisher, shard = world.publisher(), await world.open()
    await shard.append(made(0, 9))
    await publisher.round()
    world.blobs, world.heads = Memory(), MemoryHeads(START)
    other = await Shard.open(START, ShardStore(world.blobs, NAME), cast(Heads, world.heads), cast(VaultSigner, SIGNER))
    await other.append(made(0, 9, b"other"))
    return await world.open()


@pytest.mark.parametrize("more", [0, 4], ids=["as large", "grown"])
async def test_a_rewritten_log_is_found_by_its_own_signature(world: World, more: int) -> None:
    shard = await rewritten(world)
    await shard.append(made(9, more, b"other"))
    await world.publisher().round()
    assert [type(error) for error in world.failed.values()] == [TamperError]
    assert "two histories" in world.failed[shard].detail
    assert all(one.memory.counts()["refused"] == 1 for one in world.signing)


async def test_a_witness_that_shows_no_proof_stops_nothing(world: World) -> None:
    publisher, shard = world.publisher(1), await world.open()
    for status, headers in ((422, {}), (409, {}), (409, {"Content-Type": "text/x.tlog.size"})):
        world.net.faults["two"] = lambda _, status=status, headers=headers: httpx.Response(status, headers=headers, text="0\n")  # type: ignore[misc]
        await shard.append(made(shard.head.size, 3))
        await publisher.round()
        assert (world.published, world.failed) == ((shard.head.size, 1), {})


async def test_nor_does_one_that_makes_up_a_history(world: World) -> None:
    """It shows a checkpoint under the log's name that the log's key did not sign."""
    stranger = LocalSigner(SIGNER.name, b"\7" * 32)
    forged = await sign_note(Checkpoint(SIGNER.name, 1, bytes(32)).text(), stranger)
    world.net.faults["two"] = lambda asked: httpx.Response(422 if asked.method == "POST" else 200, text=forged)
    publisher, shard = world.publisher(1), await world.open()
    await shard.append(made(0, 3))
    await publisher.round()
    assert (world.published, world.failed) == ((3, 1), {})


LIES = [
    (200, ""), (200, "hello\n"), (200, "— w.test/two AAAA\n"), (200, "— w.test/one " + "A" * 104 + "\n"), (200, "x" * 300_000),
    (200, "\n\n— w.test/two AAAAAAAA\n"), (404, ""), (403, ""), (400, ""), (500, ""), (503, ""), (429, ""), (301, ""),
    (204, ""),
]  # fmt: skip


@pytest.mark.parametrize(("status", "said"), LIES)
async def test_whatever_a_witness_answers_the_log_stays_a_log(world: World, status: int, said: str) -> None:
    world.net.faults["two"] = lambda _: httpx.Response(status, text=said)
    publisher, shard = world.publisher(), await world.open()
    await shard.append(made(0, 3))
    await publisher.round()
    assert (world.published, world.failed) == ((3, 1), {})
    assert publisher._witnesses.states["w.test/two"] not in ("signs", "not asked yet")
    world.net.faults.clear()
    await publisher.round()
    assert world.published == (3, 2)


async def test_a_witness_that_trips_us_up_takes_neither_the_shard_nor_the_other_witness_with_it(world: World) -> None:
    publisher, shard = world.publisher(needed=1), await world.open()
    await shard.append(made(0, 3))
    world.net.faults["one"] = lambda _: httpx.Response(1 // 0)
    await publisher.round()
    assert world.published == (3, 1) and not world.failed


async def test_a_published_cosignature_that_was_changed_is_told(world: World) -> None:
    publisher, shard = world.publisher(), await world.open()
    await publisher.round()
    path = f"{NAME}/checkpoint"
    note = world.blobs.files[path].decode()
    world.blobs.files[path] = (note[:-8] + ("A" if note[-8] != "A" else "B") + note[-7:]).encode()
    shard = await world.open()
    await world.publisher().round()
    assert [type(error) for error in world.failed.values()] == [TamperError]
    assert shard in world.failed


async def test_another_owner_was_faster(world: World) -> None:
    publisher, zombie = world.publisher(), await world.open()
    await publisher.round()
    await zombie.append(made(0, 3))
    owner = await world.open()
    await owner.append(made(3, 3))
    await world.publisher().round()
    world.shards = [zombie]
    await publisher.round()
    assert [type(error) for error in world.failed.values()] == [AnotherOwnerError]
    assert world.published == (6, 2)


async def test_one_that_hangs_does_not_take_the_others_connections(world: World) -> None:
    """Over real sockets: many shards at once, and one witness that takes connections and says nothing."""
    silent = await asyncio.start_server(lambda reader, writer: asyncio.sleep(3600), "127.0.0.1", 0)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app(world.signing[0]), log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    ports = [listening.getsockname()[1], silent.sockets[0].getsockname()[1]]
    text = " ".join(f"{vkey} http://127.0.0.1:{port}" for vkey, port in zip(world.vkeys, ports, strict=True))
    policy = Policy.of(text, 1, closed=False, seconds=LONG)
    assert policy is not None
    world.signing[0]._trusted = Trusted(world.keys, ["kept.test/log"])
    asked = []
    for n in range(3 * asking.CONNECTIONS_MAX):
        checkpoint = Checkpoint(f"kept.test/log/many/{n}", 0, EMPTY_ROOT)
        note = await sign_note(checkpoint.text(), LocalSigner(checkpoint.origin, SIGNER._seed))
        asked.append(Asked(note, checkpoint, ShardStore(world.blobs, NAME).nodes(0), SIGNER.vkeys))
    async with asyncio.timeout(SOON):
        await Witnesses(policy).ask(asked)
    assert all(len(one.lines) == 1 for one in asked)
    server.should_exit = True
    await serving
    silent.close()


def test_a_witness_is_left_alone_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pause, waits = asking._Pause(), []
    for _ in range(8):
        pause.again()
        pause.again()  # of several at once the first counts
        waits.append(pause.until - now)
        now = pause.until
    assert waits == [1, 2, 4, 8, 10, 10, 10, 10]


@pytest.mark.parametrize("text", ["x", "a b", "{key}", "{key} ftp://x", "{key} http://a {key} http://b", "http://a {key}"])
def test_settings_that_name_no_witness(world: World, text: str) -> None:
    with pytest.raises(MalformedError):
        Policy.of(text.replace("{key}", world.vkeys[0]), 0, closed=False, seconds=1)
    with pytest.raises(MalformedError):
        Policy.of(f"{world.vkeys[0]} http://a", 2, closed=False, seconds=1)
    assert Policy.of(" \n", 0, closed=False, seconds=1) is None
