"""One stopped shard neither hides nor stops the others."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.audit.log import partitions
from services.audit.log.head import Heads, HeadState
from services.audit.log.opening import Opener
from services.audit.log.partitions import Partitions
from services.audit.log.shard import Shard
from services.audit.log.slots import WHOLE
from services.audit.log.store import KEYS, KEYS_JSON, SHARDS
from services.audit.log.stream import Stream
from services.audit.log.tree import EMPTY_ROOT
from shared.bus.broker import BrokerSettings
from shared.bus.event import Event
from shared.errors import ConflictError, TamperError
from shared.keys.vault import KeyVersion, Vault
from tests.unit.services.audit.log.naive import Memory

BROKER = BrokerSettings("127.0.0.1:1", "PLAINTEXT")


class _Heads:
    def __init__(self) -> None:
        self.told: list[Any] = []

    async def shards(self) -> list[str]:
        return ["a/0", "a~2/0", "b/0"]

    async def newest(self, topic: str, partition: int) -> HeadState:
        return HeadState(f"{topic}/{partition}", 1, 0, 7, EMPTY_ROOT)

    async def stopped(self, shard: str, event: Event) -> None:
        self.told.append(event)


class _Vault:
    async def key_versions(self, key: str) -> dict[int, KeyVersion]:
        return {1: KeyVersion(bytes(32), "2026-01-01T00:00:00Z"), 2: KeyVersion(bytes(31) + b"\1", "2027-01-01T00:00:00Z")}


class _Stream:
    def __init__(self) -> None:
        self.shard = cast(Shard, object())


def _opener(blobs: Memory, heads: _Heads) -> Opener:
    return Opener("kept.test/log", blobs, cast(Heads, heads), cast(Vault, _Vault()))


async def test_every_shard_ever_begun_is_listed() -> None:
    blobs = Memory()
    await _opener(blobs, _Heads()).list()
    assert blobs.get(SHARDS) == b"a/0\na~2/0\nb/0\n"


async def test_each_key_says_from_and_until_when_it_signs() -> None:
    blobs = Memory()
    await _opener(blobs, _Heads()).list()
    said = json.loads(blobs.get(KEYS_JSON))
    assert [one["vkey"] for one in said] == blobs.get(KEYS).decode().split()
    assert [(one["name"], one["valid_from"][:4], (one["valid_until"] or "")[:4]) for one in said] == [
        (f"kept.test/log/{shard}", *years) for shard in ("a/0", "a~2/0", "b/0") for years in (("2026", "2027"), ("2027", ""))
    ]


async def test_tampering_stops_its_shard_alone_and_is_told_once() -> None:
    heads = _Heads()
    found = Partitions(".*", WHOLE, _opener(Memory(), heads), BROKER, lambda: None)
    bad, good, raced = TopicPartition("a", 0), TopicPartition("b", 0), TopicPartition("c", 0)
    found.streams = {one: cast(Stream, _Stream()) for one in (bad, good, raced)}
    await found.drop(found.streams[bad].shard, TamperError("a/0/tile/entries/000 holds other bytes"))
    await found.drop(found.streams[raced].shard, ConflictError("another owner moved the head"))
    assert set(found.streams) == {good}
    assert found.faults == {"a/0": "tampered"}
    assert [(e.kind, e.shard, e.first) for e in heads.told] == [("tampered", "a/0", 7)]


class _Broker:
    """An administrator and a consumer of one partition; `end` is what it says it has."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.sought: list[int] = []

    async def list_topics(self) -> list[str]:
        return ["a"]

    async def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]:
        return [{"topic": topic, "partitions": [{"partition": 0}]} for topic in topics]

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.end)

    def assignment(self) -> set[TopicPartition]:
        return set()

    def assign(self, partitions: list[TopicPartition]) -> None: ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought.append(offset)


HEAD = HeadState("a/0", 1, 0, 7, EMPTY_ROOT)


async def test_a_broker_that_shows_less_for_a_moment_begins_no_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts, or its log was read before another owner went on: only one that goes on saying so is believed."""
    now, begun = [100.0], []

    async def anew(_: Opener, broker: BrokerSettings, old: HeadState, start: int, end: int) -> Shard:
        begun.append(end)
        return cast(Shard, SimpleNamespace(next_offset=end, store=SimpleNamespace(shard="a~2/0"), head=HEAD))

    async def opened(_: Opener, partition: TopicPartition, start: int) -> Shard:
        return cast(Shard, SimpleNamespace(next_offset=7, store=SimpleNamespace(shard="a/0"), head=HEAD))

    monkeypatch.setattr(Opener, "anew", anew)
    monkeypatch.setattr(Opener, "open", opened)
    monkeypatch.setattr(partitions, "Stream", lambda shard, start: SimpleNamespace(shard=shard, position=shard.next_offset))
    monkeypatch.setattr(partitions.time, "monotonic", lambda: now[0])

    async def look(found: Partitions, broker: _Broker) -> None:
        await found.discover(cast(AIOKafkaConsumer, broker), cast(AIOKafkaAdminClient, broker))

    starts = Partitions("a", WHOLE, _opener(Memory(), _Heads()), BROKER, lambda: None)
    broker = _Broker(end=5)
    await look(starts, broker)
    now[0] += partitions.DOUBT_SECONDS - 1
    await look(starts, broker)
    assert not starts.streams and not begun and not broker.sought
    starts.forget()  # the broker went away: what it said before that is worth nothing
    now[0] += partitions.DOUBT_SECONDS
    await look(starts, broker)
    assert not starts.streams and not begun
    broker.end = 7
    await look(starts, broker)
    assert broker.sought == [7] and not begun

    lost = Partitions("a", WHOLE, _opener(Memory(), _Heads()), BROKER, lambda: None)
    broker = _Broker(end=5)
    await look(lost, broker)
    now[0] += partitions.DOUBT_SECONDS + 1
    await look(lost, broker)
    assert begun == [5] and broker.sought == [5]
