"""A topic that is deleted, made again and filled past where the log was: told by the id that the broker gave it, also where its
offsets and its last record say nothing."""

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from aiokafka import TopicPartition

from services.audit.log.head import HeadState
from services.audit.log.parting import probing
from shared.bus.kafka.topic_ids import topics
from shared.errors import UnavailableError
from tests.platform.test_log_ingestion import Broker, alarms, broker, entries, ingesting, log, size, until, until_gone
from tests.support.audit_log import AuditLog

pytestmark = pytest.mark.platform
__all__ = ["broker", "log"]  # fixtures
Rows = Sequence[tuple[bytes, int]]  # value and time of each record
OLD: Rows = [(b"%d" % n, 1_000 + n) for n in range(3)]
ANOTHER: Rows = [(b"new", 900_000 + n) for n in range(50)]
SAME_AT_THE_END: Rows = [(b"x", 900_000), (b"y", 900_001), OLD[2], *ANOTHER]
MIRRORED: Rows = [*OLD, *ANOTHER]
MAKINGS, PARTITIONS, RECORDS = 4, 3, 20_000
IN_ONE_GO = 0.7  # how often the log sees nothing between the old topic and the new one in full
EACH = 1_000_000  # the time of a record says of which making it is, and which in its partition


async def sent(broker: Broker, rows: Rows) -> None:
    async with broker.settings.producer() as producer:
        for value, at in rows:
            await producer.send_and_wait(broker.topic, value, timestamp_ms=at)


async def made_anew(broker: Broker, partitions: int = 1) -> None:
    await broker.admin.delete_topics([broker.topic])
    await until_gone(broker)
    await broker.create(partitions)


async def remade(broker: Broker, rows: Rows) -> None:
    """The topic is deleted and made again, and has `rows` when this returns."""
    await made_anew(broker)
    await sent(broker, rows)


def while_it_sleeps(broker: Broker, work: Callable[[Broker], Coroutine[Any, Any, None]]) -> None:
    """Do it at one stroke for the log that reads here."""

    async def done() -> None:
        admin = broker.settings.admin()
        await admin.start()
        try:
            await work(replace(broker, admin=admin))
        finally:
            await admin.close()

    in_a_thread(done)


def in_a_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do it while everything else in this process stands still."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work()).result()


async def newest(log: AuditLog, partition: int = 0) -> HeadState:
    found = await log.heads.newest(log.topic, partition)
    assert found is not None
    return found


async def makings(log: AuditLog, partition: int) -> list[HeadState]:
    """The heads of all generations."""
    last = await newest(log, partition)
    return [*await log.heads.earlier(last), last]


async def filled(broker: Broker, making: int, records: int) -> None:
    async with broker.settings.producer() as producer:
        for n in range(records):
            number, nth = n % PARTITIONS, n // PARTITIONS
            await producer.send(broker.topic, b"v", partition=number, timestamp_ms=making * EACH + nth)


async def complete(log: AuditLog, broker: Broker) -> bool:
    """Whether everything that the broker has now is published."""
    topic_id = (await topics(broker.admin))[broker.topic].id
    heads = [await log.heads.newest(log.topic, n) for n in range(PARTITIONS)]
    return all(
        head is not None and (head.topic_id, head.next_offset, head.size) == (topic_id, end, size(log, head.shard))
        for head, end in zip(heads, await ends(broker), strict=True)
    )


async def ends(broker: Broker) -> list[int]:
    """How many records each partition has."""
    async with broker.settings.consumer() as consumer:
        found = await consumer.end_offsets([TopicPartition(broker.topic, n) for n in range(PARTITIONS)])
        return [found[TopicPartition(broker.topic, n)] for n in range(PARTITIONS)]


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
            while_it_sleeps(broker, lambda one: remade(one, rows))
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
            while_it_sleeps(broker, lambda one: remade(one, MIRRORED))
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


async def test_made_anew_again_and_again_while_it_is_filled_and_read(log: AuditLog, broker: Broker) -> None:
    """Wherever the log is at that moment: a shard has records of one making of the topic alone, from its first on and in order,
    and all that the broker has now are in the log."""
    seed = int(os.environ.get("KEPT_CHAOS_SEED", "0")) or random.randrange(1 << 32)
    print(f"KEPT_CHAOS_SEED={seed}")  # shown when the test fails
    dice = random.Random(seed)
    async with ingesting(log, broker):
        await broker.create(PARTITIONS)
        await filled(broker, 0, dice.randint(100, RECORDS))
        for making in range(1, MAKINGS):
            await asyncio.sleep(dice.choice([0.0, 0.5, 1.5, 14.0]))
            records = dice.randint(100, RECORDS)

            async def anew(one: Broker, making: int = making, records: int = records) -> None:
                await made_anew(one, PARTITIONS)
                await filled(one, making, records)

            if dice.random() < IN_ONE_GO:
                while_it_sleeps(broker, anew)
            else:
                await anew(broker)
        async with asyncio.timeout(120):
            while not await complete(log, broker):
                await asyncio.sleep(0.2)
    for number in range(PARTITIONS):
        heads = [head for head in await makings(log, number) if head.size]
        found = [[one.place.timestamp for one in await entries(log, head.shard)] for head in heads]
        for head, times in zip(heads, found, strict=True):
            making = times[0] // EACH
            assert times == [making * EACH + n for n in range(len(times))], head.shard
            assert head.base == 0
        assert len(found[-1]) == (await ends(broker))[number] and found[-1][0] // EACH == MAKINGS - 1


async def test_a_broker_that_tells_no_ids_is_read_by_name_until_it_does(
    log: AuditLog, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await broker.create()
    await sent(broker, OLD)
    with monkeypatch.context() as older:
        for module in ("topic_ids", "fetch_by_id"):
            older.setattr(f"shared.bus.kafka.{module}.speaks", lambda *_: False)
        async with ingesting(log, broker):
            await until(lambda: size(log, f"{broker.topic}/0") == len(OLD))
            assert (await newest(log)).topic_id is None
        await remade(broker, ANOTHER)
        async with ingesting(log, broker):  # the last record of the log is another now
            await until(lambda: size(log, f"{broker.topic}~2/0") == len(ANOTHER))
            assert (await newest(log)).topic_id is None
            older.undo()
            await sent(broker, OLD)
            await until(lambda: size(log, f"{broker.topic}~2/0") == len(ANOTHER) + len(OLD))
            async with asyncio.timeout(120):
                while (await newest(log)).topic_id != (await topics(broker.admin))[broker.topic].id:
                    await asyncio.sleep(0.1)
            await sent(broker, OLD)
            await until(lambda: size(log, f"{broker.topic}~2/0") == len(ANOTHER) + 2 * len(OLD))
    assert await alarms(log) == ["topic-made-anew"]


async def test_an_id_that_the_broker_does_not_know_says_nothing_about_its_records(broker: Broker) -> None:
    """As of a broker that has not heard of the new topic, or still tells the old one."""
    await broker.create()
    await sent(broker, OLD)
    part = TopicPartition(broker.topic, 0)
    async with probing(broker.settings, part, (await topics(broker.admin))[broker.topic].id) as probe:
        record = await probe(1)
        assert record is not None and (record.offset, record.timestamp) == (1, OLD[1][1])
    async with probing(broker.settings, part, UUID(int=5)) as probe:
        with pytest.raises(UnavailableError):
            await probe(1)
