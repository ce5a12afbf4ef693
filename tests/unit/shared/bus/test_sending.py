"""Packets for partitions: every row once, in order, where the client itself would put it; and what a failure leaves undone."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, RecordListTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.bus.outbox import EVENT_BYTES_MAX
from shared.bus.sending import Pending, send

PARTITIONS = 3


class Producer:
    """Takes packets of 1,000 bytes; the packet of this number fails."""

    def __init__(self, fails: int = -1, error: Exception | None = None) -> None:
        self.counts: list[tuple[int, int]] = []
        self._fails, self._error = fails, error
        self._ends = dict.fromkeys(range(PARTITIONS), 100)

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(PARTITIONS))

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1_000, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        assert batch.closed(), "it would linger"
        promise = asyncio.get_running_loop().create_future()
        if len(self.counts) == self._fails:
            promise.set_exception(self._error or KafkaConnectionError())
        else:
            promise.set_result(SimpleNamespace(offset=self._ends[partition]))
        self._ends[partition] += batch.record_count()
        self.counts.append((partition, batch.record_count()))
        return promise


async def beat() -> None: ...


def rows(count: int, value: bytes = b"x" * 100) -> Sequence[Pending]:
    return [Pending(f"id{n}", "kept.customers", f"sub_{n % 20}", [["ce_id", f"id{n}"]], value) for n in range(count)]


async def test_every_row_is_sent_once_in_order_where_the_client_would_put_it() -> None:
    producer, some = Producer(), rows(100)
    sent = await send(cast(AIOKafkaProducer, producer), some, beat)
    assert sent.error is None and not sent.faults and len(producer.counts) > 2 * PARTITIONS
    for number in range(PARTITIONS):
        mine = [one for one in some if DefaultPartitioner()(one.key.encode(), list(range(PARTITIONS)), ()) == number]
        there = [one for one in sent.done if one.partition == number]
        assert [one.ce_id for one in there] == [one.ce_id for one in mine]
        assert [one.offset for one in there] == list(range(100, 100 + len(mine)))


async def test_the_largest_event_is_a_packet_of_its_own() -> None:
    producer, some = Producer(), [*rows(2), *rows(1, b"x" * EVENT_BYTES_MAX), *rows(2)]
    sent = await send(cast(AIOKafkaProducer, producer), some, beat)
    assert len(sent.done) == 5 and sum(count for _, count in producer.counts) == 5


@pytest.mark.parametrize("error", [KafkaConnectionError(), RecordListTooLargeError()])
async def test_after_a_failure_what_stands_behind_it_in_its_partition_waits(error: Exception) -> None:
    producer, some = Producer(1, error), rows(100)
    sent = await send(cast(AIOKafkaProducer, producer), some, beat)
    failed = producer.counts[1][0]
    before = [count for partition, count in producer.counts[:1] if partition == failed]
    assert sum(one.partition == failed for one in sent.done) == sum(before)
    assert {one.partition for one in sent.done} >= set(range(PARTITIONS)) - {failed}
    if isinstance(error, RecordListTooLargeError):
        assert sent.faults == {"kept.customers": "RecordListTooLargeError"} and sent.error is None
    else:
        assert sent.error is error and not sent.faults
