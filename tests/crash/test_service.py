"""The audit service itself, on the real servers: killed again and again while events arrive, and with a second owner beside it,
as while a rebalance is under way. Every record that the broker has is one leaf, in order; Tessera's fsck judges each shard."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest
from aiokafka import TopicPartition

from deploy.local import environment, users
from deploy.local.state import REPOSITORY
from services.audit.cli import local_log
from services.audit.log.entry import parse
from services.audit.log.store import ShardStore
from services.audit.log.verify import vkeys
from shared.blobs import PosixStore
from shared.blobs.store import TEMPORARY
from shared.ids import new_event_id
from shared.notes.note import parse_vkey
from shared.notes.tlogproof import checkpoint_head
from tests.crash import extent
from tests.support.fsck import fsck
from tests.support.insider import Insider
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
TOPIC, PARTITIONS = "billing.events", 3
KILLS, STOPS = extent.times("SERVICE_KILLS", 4, 30), extent.times("SERVICE_STOPS", 6, 60)
EVENTS_PER_SECOND = 400  # sent meanwhile
PUBLISHED_SECONDS_MAX = 120.0
Held = dict[int, list[str]]  # partition -> ce_id by offset


@pytest.fixture(autouse=True)
def _state(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_STATE", str(platform.state.root))


async def send(platform: Platform, seconds: float) -> None:
    """Foreign events, spread over `seconds`."""
    async with Insider(platform.state, "billing").producer() as producer:
        for n in range(int(seconds * EVENTS_PER_SECOND)):
            if n % 100 == 0:
                await asyncio.sleep(100 / EVENTS_PER_SECOND)
            headers = [("ce_id", new_event_id().encode()), ("ce_type", b"billing.thing.made.v1")]
            await producer.send(TOPIC, b'{"n": %d}' % n, partition=n % PARTITIONS, headers=headers)


async def held_by_broker(platform: Platform) -> Held:
    """Every record of the topic, from its first."""
    found: Held = {n: [] for n in range(PARTITIONS)}
    partitions = [TopicPartition(TOPIC, n) for n in found]
    async with Insider(platform.state, "audit").consumer() as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any(len(found[p.partition]) < ends[p] for p in partitions):
            for part, records in (await consumer.getmany(timeout_ms=1_000)).items():
                assert records[0].offset == len(found[part.partition])
                found[part.partition] += [dict(r.headers).get("ce_id", b"").decode() for r in records]
    return found


def shard(partition: int) -> ShardStore:
    return ShardStore(PosixStore(local_log()), f"{TOPIC}/{partition}")


def published(partition: int) -> int:
    note = shard(partition).checkpoint()
    return 0 if note is None else checkpoint_head(note.partition("\n\n")[0] + "\n")[1]


async def judged(platform: Platform) -> None:
    """The log has what the broker has: each record once, in order; and all of it is the service's own."""
    broker, until = await held_by_broker(platform), time.monotonic() + PUBLISHED_SECONDS_MAX
    while any(published(n) < len(ids) for n, ids in broker.items()):
        assert time.monotonic() < until, {n: (published(n), len(ids)) for n, ids in broker.items()}
        await asyncio.sleep(0.1)
    keys = [(parse_vkey(text).name, text) for text in vkeys(PosixStore(local_log()))]
    for partition, ids in broker.items():
        store = shard(partition)
        key = [text for name, text in keys if name.endswith(f"/{store.shard}")][-1]
        found = fsck(local_log() / store.shard, key)
        assert found.whole and found.size == len(ids), found.said
        entries = [parse(store.whole(one)) for n in range((found.size + 255) // 256) for one in store.entries(n, found.size)]
        assert [entry.place.offset for entry in entries] == list(range(len(ids)))
        assert [entry.header("ce_id") for entry in entries] == ids
    assert not_the_services() == []


def not_the_services() -> list[str]:
    """What in the log belongs to somebody else than the service: the service could not go on with it."""
    log = local_log()
    whole = (path for path in log.rglob("*") if TEMPORARY not in path.name)  # those vanish while one looks
    return [path.relative_to(log).as_posix() for path in whole if path.stat().st_uid != log.stat().st_uid]


async def test_killed_while_events_arrive(platform: Platform) -> None:
    dice = extent.chance()
    sending = asyncio.create_task(send(platform, KILLS * 4.0))
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0.2, 2.0))
        with suppress(AssertionError):  # it may not have been started again yet
            platform.kill("audit")
    await sending
    await asyncio.to_thread(platform.wait_ready, "audit")
    await judged(platform)


@contextmanager
def second_owner(platform: Platform) -> Iterator[psutil.Process]:
    """Another process that ingests, with the same user and rights, into the same log."""
    env = {**os.environ, **environment.read(platform.state, "audit"), "KEPT_TOPICS": TOPIC.replace(".", r"\.")}
    # As the service's own user: what root writes into the log, the service can't go on with.
    command = [*users.prefix("audit", platform.state.root), sys.executable, "-m", "tests.support.ingesting"]
    process = psutil.Popen(command, env=env, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


async def test_two_owners_at_once(platform: Platform) -> None:
    """Both read every partition; in turn one of them is stopped with a batch in its hands and wakes up later."""
    dice = extent.chance()
    with second_owner(platform) as other:
        sending = asyncio.create_task(send(platform, STOPS * 2.5))
        for _ in range(STOPS):
            sleeper = dice.choice([other, platform.process("audit")])
            assert sleeper is not None
            sleeper.send_signal(signal.SIGSTOP)
            await asyncio.sleep(dice.uniform(0.1, 1.5))
            sleeper.send_signal(signal.SIGCONT)
            await asyncio.sleep(dice.uniform(0.0, 0.5))
        await sending
        await judged(platform)
        assert other.is_running()
    await asyncio.to_thread(platform.wait_ready, "audit")
