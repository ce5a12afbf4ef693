"""From a real broker into the log: every record, whatever it is and whatever the broker did to its topic. The judge is
verification, and the index of a leaf is always its offset."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete

from deploy.local import environment, ports
from deploy.local.kafka import ADMIN
from deploy.local.vault import Secrets
from services.audit.log.entry import Entry, Kind, parse
from services.audit.log.ingest import Ingest
from services.audit.log.opening import Opener
from services.audit.log.partitions import Partitions
from services.audit.log.seal import opened
from services.audit.log.sealer import Sealer
from services.audit.log.store import ShardStore
from services.audit.log.verify import verify_shard
from services.audit.log.witnesses import Witnesses
from shared.bus.broker import BrokerSettings
from shared.bus.kafka import Admin
from shared.errors import ConflictError, NotFoundError
from tests.support.audit_log import ME, AuditLog, open_log
from tests.support.platform import Platform

pytestmark = pytest.mark.platform


ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}


@dataclass
class Broker:
    """The broker in the hands of its administrator, and a topic that no service of the platform reads."""

    settings: BrokerSettings
    admin: Admin
    topic: str

    async def create(self, partitions: int = 1) -> None:
        answer = await self.admin.create_topics([NewTopic(self.topic, partitions, 1, topic_configs=ANY_TIME)])
        assert all(code == 0 for _, code, *_ in answer.topic_errors), answer

    async def send(self, *values: bytes | None, transaction: bool = False, **options: Any) -> None:
        extra = {"transactional_id": f"t-{self.topic}"} if transaction else {}
        producer = AIOKafkaProducer(**self.settings.client(), acks="all", max_request_size=1_000_000, **extra)
        await producer.start()
        try:
            if transaction:
                await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(self.topic, value, **options)
            if transaction:
                await producer.commit_transaction()
        finally:
            await producer.stop()


@pytest.fixture
async def broker(platform: Platform) -> AsyncIterator[Broker]:
    env = environment.read(platform.state, "audit")
    if env["KEPT_KAFKA_SECURITY"] == "PLAINTEXT":
        pytest.skip("the stand-in broker has neither transactions nor deletion of records")
    password = await Secrets(platform.state, ports.load(platform.state)).password("platform/kafka")
    settings = BrokerSettings(env["KEPT_KAFKA_BOOTSTRAP"], env["KEPT_KAFKA_SECURITY"], user=ADMIN, password=password)
    admin = settings.admin()
    await admin.start()
    one = Broker(settings, admin, f"ingested-{secrets.token_hex(4)}")
    yield one
    await admin.delete_topics([one.topic])
    await admin.close()


@pytest.fixture
async def log(platform: Platform, broker: Broker, tmp_path: Path) -> AsyncIterator[AuditLog]:
    async for one in open_log(platform.state, tmp_path):
        one.topic = broker.topic
        yield one


@asynccontextmanager
async def ingesting(log: AuditLog, broker: Broker, witnesses: Witnesses | None = None) -> AsyncIterator[Ingest]:
    """Ingestion of the test's topic alone."""
    opener = Opener("kept.test/log", log.blobs, log.heads, log.vault, deferred=witnesses is not None)
    ingest = Ingest(
        pattern=re.escape(broker.topic), opener=opener, sealer=Sealer(log.door), broker=broker.settings,
        published=lambda: None, witnesses=witnesses,
    )  # fmt: skip
    task = asyncio.create_task(ingest.run())
    try:
        yield ingest
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(met: Callable[[], bool], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.05)


def size(log: AuditLog, shard: str) -> int:
    """The published size, as anyone reads it."""
    note = ShardStore(log.blobs, shard).checkpoint()
    return -1 if note is None else int(note.split("\n")[1])


async def entries(log: AuditLog, shard: str) -> list[Entry]:
    """Every entry of a shard that verifies: its index is its offset."""
    found = verify_shard(
        log.blobs, shard, await Opener("kept.test/log", log.blobs, log.heads, log.vault)._signer(shard).vkeys()
    )
    assert found.faults == ()
    store = ShardStore(log.blobs, shard)
    raw = [entry for n in range((found.size + 255) // 256) for entry in store.entries(n, found.size)]
    return [parse(store.whole(one)) for one in raw]


async def alarms(log: AuditLog) -> list[str]:
    async with log.engine.connect() as connection:
        query = "SELECT convert_from(value, 'UTF8')::json ->> 'kind' FROM outbox ORDER BY id"
        return [row[0] for row in await connection.exec_driver_sql(query)]


async def test_a_new_topic_is_in_the_log_without_a_restart(log: AuditLog, broker: Broker) -> None:
    async with ingesting(log, broker):
        await asyncio.sleep(1)  # ingestion runs already, and knows of no such topic
        await broker.create(partitions=3)
        await until(lambda: all(size(log, f"{broker.topic}/{n}") == 0 for n in range(3)))
        await broker.send(b"first", partition=2)
        await until(lambda: size(log, f"{broker.topic}/2") == 1)


async def test_every_record_is_one_leaf_whatever_it_is(log: AuditLog, broker: Broker) -> None:
    """Tombstones, records without key or header, too many headers, a name too long, a value too large, times before and
    after the calendar."""
    await broker.create()
    async with ingesting(log, broker):
        await broker.send(b"v", b"")
        await broker.send(None, key=b"tombstone")
        await broker.send(b"v", headers=[("h", b"")] * 70_000)
        await broker.send(b"v", headers=[("n" * 70_000, b"v"), ("null", None)])
        await broker.send(b"x" * 200_000, key=b"\xff")
        await broker.send(b"v", timestamp_ms=0)
        await broker.send(b"v", timestamp_ms=2**62)
        await until(lambda: size(log, f"{broker.topic}/0") == 8)
    found = await entries(log, f"{broker.topic}/0")
    assert [e.kind for e in found] == [Kind.SEALED] * 8
    async with log.door.begin(ME) as w:
        whole = [opened(e, await w.keyring.key(w.session, e.sealing)) for e in found]
    assert [(e.key, e.value) for e in whole[:3]] == [(None, b"v"), (None, b""), (b"tombstone", None)]
    assert len(whole[3].headers) == 70_000
    assert whole[4].headers == (("n" * 70_000, b"v"), ("null", None))
    assert (whole[5].key, len(whole[5].value or b"")) == (b"\xff", 200_000)
    assert [e.place.timestamp for e in whole[6:]] == [0, 2**62]


async def test_what_the_broker_passes_over_in_silence_is_a_gap(log: AuditLog, broker: Broker) -> None:
    """A transaction's marker takes an offset and is no record; also the last one of all."""
    await broker.create()
    async with ingesting(log, broker) as ingest:
        await broker.send(b"a", b"b", transaction=True)
        await until(lambda: size(log, f"{broker.topic}/0") == 3)
        await until(lambda: ingest.behind == {f"{broker.topic}/0": 0})
        await broker.send(b"c", transaction=True)
        await until(lambda: size(log, f"{broker.topic}/0") == 5)
    sealed, gap = Kind.SEALED, Kind.GAP
    assert [e.kind for e in await entries(log, f"{broker.topic}/0")] == [sealed, sealed, gap, sealed, gap]
    assert await alarms(log) == []


async def test_what_the_broker_dropped_before_the_log_had_it_is_a_gap_and_an_alarm(log: AuditLog, broker: Broker) -> None:
    await broker.create()
    await broker.send(b"0", b"1")
    async with ingesting(log, broker):
        await until(lambda: size(log, f"{broker.topic}/0") == 2)
    await broker.send(*(b"lost" for _ in range(300)), b"kept")
    await broker.admin.delete_records({TopicPartition(broker.topic, 0): RecordsToDelete(302)})
    async with ingesting(log, broker):
        await until(lambda: size(log, f"{broker.topic}/0") == 303)
    found = await entries(log, f"{broker.topic}/0")
    assert [e.kind for e in found] == [Kind.SEALED] * 2 + [Kind.GAP] * 300 + [Kind.SEALED]
    assert await alarms(log) == ["gap-by-retention"]


@pytest.mark.parametrize("again", [1, 5], ids=["shorter", "longer"])
async def test_a_topic_made_anew_is_another_generation(log: AuditLog, broker: Broker, again: int) -> None:
    """Also where the new one is as long as the old one already: the record at the last leaf is another."""
    await broker.create()
    await broker.send(b"0", b"1", b"2")
    async with ingesting(log, broker):
        await until(lambda: size(log, f"{broker.topic}/0") == 3)
    await broker.admin.delete_topics([broker.topic])
    await until_gone(broker)
    await broker.create()
    await broker.send(*(b"new" for _ in range(again)))
    async with ingesting(log, broker):
        await until(lambda: size(log, f"{broker.topic}~2/0") == again)
    assert [len(await entries(log, f"{broker.topic}{g}/0")) for g in ("", "~2")] == [3, again]
    assert await alarms(log) == ["topic-made-anew"]


@pytest.mark.parametrize("more", [0, 500], ids=["shorter", "longer"])
async def test_a_broker_that_lost_its_last_records_has_none_of_the_others_twice(
    log: AuditLog, broker: Broker, more: int
) -> None:
    """As after a power cut. What is lost stays in the first generation; the next begins where the histories part."""
    await broker.create()
    await broker.send(*(b"v" for _ in range(300)), timestamp_ms=1_000)
    async with ingesting(log, broker):
        await until(lambda: size(log, f"{broker.topic}/0") == 300)
    await broker.admin.delete_topics([broker.topic])
    await until_gone(broker)
    await broker.create()
    await broker.send(*(b"v" for _ in range(100)), timestamp_ms=1_000)
    await broker.send(*(b"new" for _ in range(more)))
    async with ingesting(log, broker):
        await until(lambda: size(log, f"{broker.topic}~2/0") == more)
        await broker.send(b"after")
        await until(lambda: size(log, f"{broker.topic}~2/0") == more + 1)
    assert len(await entries(log, f"{broker.topic}/0")) == 300
    assert (await entries(log, f"{broker.topic}~2/0"))[0].place.offset == 100
    assert await alarms(log) == ["topic-made-anew"]


async def test_a_shard_that_was_stopped_goes_on_as_its_next_generation(log: AuditLog, broker: Broker) -> None:
    """Somebody wrote under a name that the log was to use: nothing is signed over it, and nothing that comes is lost."""
    shard, opener = f"{broker.topic}/0", Opener("kept.test/log", log.blobs, log.heads, log.vault)
    await broker.create()
    async with ingesting(log, broker) as ingest:
        await broker.send(b"0", b"1", b"2")
        await until(lambda: size(log, shard) == 3)
        with pytest.raises(ConflictError, match="not stopped"):
            await opener.go_on(shard)
        log.blobs.put_new(f"{shard}/tile/entries/000.p/5", b"forged")
        await broker.send(b"3", b"4")
        await until(lambda: ingest.faults == {shard: "tampered"})
        await broker.send(b"5")
        assert await opener.go_on(shard) == f"{broker.topic}~2/0"
        await until(lambda: not ingest.faults and size(log, f"{broker.topic}~2/0") == 3)
        with pytest.raises(NotFoundError):
            await opener.go_on(shard)
    assert [one.place.offset for one in await entries(log, shard)] == [0, 1, 2]
    assert [one.place.offset for one in await entries(log, f"{broker.topic}~2/0")] == [3, 4, 5]
    assert await alarms(log) == ["tampered", "gone-on"]


async def until_gone(broker: Broker) -> None:
    async with asyncio.timeout(120):
        while broker.topic in await broker.admin.list_topics():
            await asyncio.sleep(0.1)


async def test_an_owner_that_comes_back_knows_its_topic(log: AuditLog, broker: Broker) -> None:
    """A restart is no new generation, and no record stands twice."""
    await broker.create()
    for n in range(3):
        await broker.send(b"v", b"w")
        async with ingesting(log, broker):
            await until(lambda n=n: size(log, f"{broker.topic}/0") == 2 * n + 2)  # type: ignore[misc]
    assert len(await entries(log, f"{broker.topic}/0")) == 6
    assert await alarms(log) == []


async def test_shards_that_are_opened_slowly_are_all_opened(
    log: AuditLog, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that starts under load opens shards for longer than one answer may take: it does not begin anew for ever."""
    await broker.create(partitions=4)
    fast = Partitions._open

    async def slow(self: Any, *args: Any) -> Any:
        await asyncio.sleep(1.5)
        return await fast(self, *args)

    monkeypatch.setattr(Partitions, "_open", slow)
    for module in ("ingest", "partitions"):
        monkeypatch.setattr(f"services.audit.log.{module}.ANSWER_SECONDS_MAX", 4.0, raising=False)
    for partition in range(4):
        await broker.send(b"a", partition=partition)
    async with ingesting(log, broker):
        await until(lambda: [size(log, f"{broker.topic}/{n}") for n in range(4)] == [1] * 4)
