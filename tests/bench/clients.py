"""Kafka's clients beside one another, on the same broker and with the same events: how fast each is, and what each keeps.

aiokafka as the relay uses it (packets of its own), aiokafka record by record, confluent-kafka (librdkafka) and its asyncio
client. All with acks=all and idempotence. What each sent is read again: it is there once, in order per key, byte for byte.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from deploy.local.state import State
from shared.bus.broker import BATCH_BYTES, BrokerSettings
from shared.bus.sending import Pending, send
from tests.bench.servers import headers, value
from tests.support.insider import Insider

TOPIC = "kept.customers"
AT_ONCE = 1_000  # as the relay
KEYS = 1_000
Client = Callable[[BrokerSettings, Sequence[Pending]], Awaitable[float]]  # seconds from the first to the last acknowledgement


def events(count: int, run: int) -> list[Pending]:
    made = []
    for n in range(count):
        pairs = [[name, one.decode()] for name, one in headers(TOPIC, run * 10_000_000 + n)]
        made.append(Pending(pairs[1][1], TOPIC, f"sub_{n % KEYS:032x}", pairs, value(n)))
    return made


async def packed(broker: BrokerSettings, rows: Sequence[Pending]) -> float:
    async def beat() -> None: ...

    async with broker.producer() as producer:
        await producer.partitions_for(TOPIC)
        began = time.perf_counter()
        for at in range(0, len(rows), AT_ONCE):
            sent = await send(producer, rows[at : at + AT_ONCE], beat)
            assert sent.error is None and not sent.faults
        return time.perf_counter() - began


async def one_by_one(broker: BrokerSettings, rows: Sequence[Pending]) -> float:
    async with broker.producer() as producer:
        await producer.partitions_for(TOPIC)
        began = time.perf_counter()
        for at in range(0, len(rows), AT_ONCE):
            promises = [
                await producer.send(one.topic, one.value, one.key.encode(), headers=_pairs(one))
                for one in rows[at : at + AT_ONCE]
            ]
            for promise in promises:
                await promise
        return time.perf_counter() - began


def _confluent(broker: BrokerSettings) -> dict[str, Any]:
    found: dict[str, Any] = {
        "bootstrap.servers": broker.bootstrap, "acks": "all", "enable.idempotence": broker.idempotence, "linger.ms": 5,
        "batch.size": BATCH_BYTES, "partitioner": "murmur2_random", "security.protocol": broker.security,
    }  # fmt: skip
    if broker.security.startswith("SASL"):
        found |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": broker.user, "sasl.password": broker.password}
    return found


async def confluent(broker: BrokerSettings, rows: Sequence[Pending]) -> float:
    """Its classic producer, which blocks; a batch is over when all of it is acknowledged, as the relay's is."""
    from confluent_kafka import Producer

    producer, placed = Producer(_confluent(broker)), list[int]()

    def done(error: object, message: Any) -> None:
        assert error is None
        placed.append(message.offset())

    producer.list_topics(TOPIC, timeout=30)
    began = time.perf_counter()
    for at in range(0, len(rows), AT_ONCE):
        for one in rows[at : at + AT_ONCE]:
            producer.produce(one.topic, one.value, one.key.encode(), headers=_pairs(one), on_delivery=done)
        producer.flush(30)
    assert len(placed) == len(rows)
    return time.perf_counter() - began


async def confluent_asyncio(broker: BrokerSettings, rows: Sequence[Pending]) -> float:
    """Its asyncio client. NotImplementedError: it takes no headers."""
    from confluent_kafka.aio import AIOProducer

    producer = AIOProducer(_confluent(broker))
    try:
        began = time.perf_counter()
        for at in range(0, len(rows), AT_ONCE):
            promises = [
                await producer.produce(one.topic, one.value, one.key.encode(), headers=_pairs(one))
                for one in rows[at : at + AT_ONCE]
            ]
            await producer.flush()
            for promise in promises:
                await promise
        return time.perf_counter() - began
    finally:
        await producer.close()


def _pairs(one: Pending) -> list[tuple[str, bytes]]:
    return [(name, text.encode()) for name, text in one.headers]


async def kept(broker: BrokerSettings, rows: Sequence[Pending], begins: dict[TopicPartition, int]) -> bool:
    """Whether all of it is there, once, in order per key, byte for byte."""
    found: dict[str, list[ConsumerRecord]] = {}
    left = len(rows)
    async with broker.consumer() as consumer:
        consumer.assign([*begins])
        for part, at in begins.items():
            consumer.seek(part, at)
        while left:
            got = await consumer.getmany(timeout_ms=10_000)
            if not got:
                return False
            for records in got.values():
                left -= len(records)
                for one in records:
                    found.setdefault(one.key.decode(), []).append(one)
    sent: dict[str, list[Pending]] = {}
    for row in rows:
        sent.setdefault(row.key, []).append(row)
    return sent.keys() == found.keys() and all(
        [(tuple(_pairs(row)), row.value) for row in mine] == [(one.headers, one.value) for one in found[key]]
        for key, mine in sent.items()
    )


async def ends(broker: BrokerSettings) -> dict[TopicPartition, int]:
    async with broker.consumer(TOPIC) as consumer:
        parts = [TopicPartition(TOPIC, n) for n in sorted(consumer.partitions_for_topic(TOPIC) or ())]
        found: dict[TopicPartition, int] = await consumer.end_offsets(parts)
        return found


CLIENTS: dict[str, Client] = {
    "aiokafka, packets (the relay)": packed,
    "aiokafka, record by record": one_by_one,
    "confluent-kafka": confluent,
    "confluent-kafka, asyncio": confluent_asyncio,
}


async def compared(state: State, count: int) -> list[tuple[str, str]]:
    """Each client: events a second, this process' CPU for an event, and whether everything is kept."""
    broker, told = Insider(state, "customers").broker(), []
    for run, (name, client) in enumerate(CLIENTS.items(), 1):
        rows, begins = events(count, run), await ends(broker)
        cpu = time.process_time()
        try:
            seconds = await client(broker, rows)
        except (ImportError, NotImplementedError) as why:
            told.append((name, "not installed" if isinstance(why, ImportError) else "refuses headers"))
            continue
        cpu = (time.process_time() - cpu) / count * 1e6
        whole = "kept" if await kept(broker, rows, begins) else "NOT KEPT"
        told.append((name, f"**{count / seconds:,.0f}**, {cpu:.0f} µs, {whole}"))
    return told
