"""A topic as it is, read from its first record to its end, with the right to read that audit has."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

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
    """Every record of `topic` that is an event, by partition and offset: other tests write malformed ones on purpose."""
    return [one for one in map(_seen, await raw(state, topic)) if one is not None]


async def raw(state: State, topic: str) -> "list[ConsumerRecord[bytes, bytes]]":
    """Every record of `topic`, by partition and offset."""
    consumer = Insider(state, "audit").broker().consumer(auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()  # its partitions are asked for without subscribing
        partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or {0, 1, 2})]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord[bytes, bytes]] = []
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            at = {p: await consumer.position(p) for p in partitions}
            if all(at[p] >= ends[p] for p in partitions):
                return sorted(found, key=lambda one: (one.partition, one.offset))
            batch: dict[Any, Any] = await consumer.getmany(timeout_ms=500)
            for records in batch.values():
                found += records
        raise AssertionError(f"{topic} could not be read to its end")
    finally:
        await consumer.stop()


def _seen(record: Any) -> Seen | None:
    """None for a malformed record."""
    try:
        return Seen(record.partition, record.offset, (record.key or b"").decode(errors="replace"), parse(record))
    except MalformedError:
        return None


async def of_type(state: State, kind: str, topic: str = "kept.customers") -> list[Envelope]:
    """The events of a type, as published."""
    return [one.envelope for one in await whole(state, topic) if one.envelope.type == kind]


async def told(
    state: State, kind: str, topic: str, fits: Callable[[Envelope], bool], *, count: int = 1, seconds: float = 120
) -> list[Envelope]:
    """The events of a type that fit, once there are `count` of them: the relay takes a moment. AssertionError that names the
    event that did not come."""
    deadline = time.monotonic() + seconds
    while True:
        found = [one for one in await of_type(state, kind, topic) if fits(one)]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"not told: {kind} on {topic} ({len(found)} of {count} within {seconds:.0f} s)"
        await asyncio.sleep(0.3)
