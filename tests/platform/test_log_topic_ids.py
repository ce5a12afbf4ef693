"""A topic that is deleted, made again and filled past where the log was: told by the id that the broker gave it, also where its
offsets and its last record say nothing."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from services.audit.log.head import HeadState
from shared.bus.topic_ids import topics
from tests.platform.test_log_ingestion import Broker, alarms, broker, entries, ingesting, log, size, until, until_gone
from tests.support.audit_log import AuditLog

pytestmark = pytest.mark.platform
__all__ = ["broker", "log"]  # fixtures
Rows = Sequence[tuple[bytes, int]]  # value and time of each record
OLD: Rows = [(b"%d" % n, 1_000 + n) for n in range(3)]
ANOTHER: Rows = [(b"new", 900_000 + n) for n in range(50)]
SAME_AT_THE_END: Rows = [(b"x", 900_000), (b"y", 900_001), OLD[2], *ANOTHER]
MIRRORED: Rows = [*OLD, *ANOTHER]


async def sent(broker: Broker, rows: Rows) -> None:
    async with broker.settings.producer() as producer:
        for value, at in rows:
            await producer.send_and_wait(broker.topic, value, timestamp_ms=at)


async def remade(broker: Broker, rows: Rows) -> None:
    """The topic is deleted and made again, and has `rows` when this returns."""
    await broker.admin.delete_topics([broker.topic])
    await until_gone(broker)
    await broker.create()
    await sent(broker, rows)


def while_it_sleeps(broker: Broker, rows: Rows) -> None:
    """The same, at one stroke for the log that reads it here."""

    async def work() -> None:
        admin = AIOKafkaAdminClient(**broker.settings.client())
        await admin.start()
        try:
            await remade(replace(broker, admin=admin), rows)
        finally:
            await admin.close()

    in_a_thread(work)


def in_a_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do it while everything else in this process stands still."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work()).result()


async def newest(log: AuditLog) -> HeadState:
    found = await log.heads.newest(log.topic, 0)
    assert found is not None
    return found


@pytest.mark.parametrize("reads", [True, False], ids=["while it is read", "while it is not read"])
@pytest.mark.parametrize("rows", [ANOTHER, SAME_AT_THE_END], ids=["others", "others, but for the last that the log has"])
async def test_a_topic_made_anew_and_filled_past_the_log_is_another_generation(
    log: AuditLog, broker: Broker, rows: Rows, reads: bool
) -> None:
    await broker.create()
    await sent(broker, OLD)
    shard, next_shard = f"{broker.topic}/0", f"{broker.topic}~2/0"
    async with ingesting(log, broker):
        await until(lambda: size(log, shard) == len(OLD))
        if reads:
            while_it_sleeps(broker, rows)
            await until(lambda: size(log, next_shard) == len(rows) or size(log, shard) > len(OLD))
    if not reads:
        await remade(broker, rows)
        async with ingesting(log, broker):
            await until(lambda: size(log, next_shard) == len(rows) or size(log, shard) > len(OLD))
    assert [one.place.timestamp for one in await entries(log, shard)] == [at for _, at in OLD], "a record of the new topic"
    assert [one.place.timestamp for one in await entries(log, next_shard)] == [at for _, at in rows]
    assert await alarms(log) == ["topic-made-anew"]
    assert (await newest(log)).topic_id == (await topics(broker.admin))[broker.topic].id


@pytest.mark.parametrize("reads", [True, False], ids=["while it is read", "while it is not read"])
async def test_a_mirror_of_the_topic_is_gone_on_with(log: AuditLog, broker: Broker, reads: bool) -> None:
    """Another id, as of every topic of a cluster that was restored elsewhere, but the records that the log has."""
    await broker.create()
    await sent(broker, OLD)
    shard = f"{broker.topic}/0"
    async with ingesting(log, broker):
        await until(lambda: size(log, shard) == len(OLD))
        old = (await newest(log)).topic_id
        if reads:
            while_it_sleeps(broker, MIRRORED)
            await until(lambda: size(log, shard) == len(MIRRORED))
    if not reads:
        await remade(broker, MIRRORED)
        async with ingesting(log, broker):
            await until(lambda: size(log, shard) == len(MIRRORED))
    assert [one.place.timestamp for one in await entries(log, shard)] == [at for _, at in MIRRORED]
    assert await alarms(log) == []
    new = await newest(log)
    assert (new.generation, new.topic_id) == (1, (await topics(broker.admin))[broker.topic].id)
    assert new.topic_id != old
