"""A topic as it is, read from its first record to its end, with the right to read that audit has."""

import time
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from deploy.local.state import State
from shared.bus.envelope import Envelope, parse
from shared.errors import MalformedError
from tests.support.insider import Insider


@dataclass(frozen=True)
class Seen:
    """One record, where it lies."""

    partition: int
    offset: int
    key: str
    envelope: Envelope


async def whole(state: State, topic: str) -> list[Seen]:
    """Every record of `topic`, by partition and offset."""
    consumer = Insider(state, "audit").broker().consumer(auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()  # its partitions are asked for without subscribing
        partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or {0, 1, 2})]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        found: list[Seen] = []
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            at = {p: await consumer.position(p) for p in partitions}
            if all(at[p] >= ends[p] for p in partitions):
                return sorted(found, key=lambda one: (one.partition, one.offset))
            batch: dict[Any, Any] = await consumer.getmany(timeout_ms=500)
            for records in batch.values():
                found += [one for one in map(_seen, records) if one is not None]
        raise AssertionError(f"{topic} could not be read to its end")
    finally:
        await consumer.stop()


def _seen(record: Any) -> Seen | None:
    """None for a malformed record: other tests write such on purpose."""
    try:
        return Seen(record.partition, record.offset, (record.key or b"").decode(errors="replace"), parse(record))
    except MalformedError:
        return None


async def of_type(state: State, kind: str, topic: str = "kept.customers") -> list[Envelope]:
    """The events of a type, as published."""
    return [one.envelope for one in await whole(state, topic) if one.envelope.type == kind]
