"""One stopped shard neither hides nor stops the others."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.audit.log import partitions
from services.audit.log.head import AnotherOwnerError, Heads, HeadState
from services.audit.log.ingest import Ingest
from services.audit.log.opening import Opener
from services.audit.log.partitions import Partitions
from services.audit.log.shard import Shard
from services.audit.log.slots import WHOLE
from services.audit.log.store import KEYS, KEYS_JSON, SHARDS
from services.audit.log.stream import Stream
from services.audit.log.tree import EMPTY_ROOT
from shared.bus.broker import BrokerSettings
from shared.bus.event import Event
from shared.bus.kafka import Admin
from shared.bus.kafka.topic_ids import NO_ID
from shared.clock import FixedClock
from shared.errors import ConflictError, InvariantError, MalformedError, TamperError, UnavailableError
from shared.keys.vault import KeyVersion, Vault
from shared.loops.aside import InMemory
from shared.loops.items import Items
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
    found = Partitions(".*", WHOLE, _opener(Memory(), heads), BROKER, lambda: None, Items("ingest", InMemory()))
    bad, good, raced = TopicPartition("a", 0), TopicPartition("b", 0), TopicPartition("c", 0)
    found.streams = {one: cast(Stream, _Stream()) for one in (bad, good, raced)}
    await found.drop(found.streams[bad].shard, TamperError("a/0/tile/entries/000 holds other bytes"))
    await found.drop(found.streams[raced].shard, AnotherOwnerError("another owner moved the head"))
    assert set(found.streams) == {good}
    assert found.faults == {"a/0": "tampered"}
    assert [(e.kind, e.shard, e.first) for e in heads.told] == [("tampered", "a/0", 7)]


async def test_who_has_a_slot_once_more_takes_no_fault_of_before_for_true() -> None:
    """Another process had it meanwhile, and a person may have put the files right for that one."""
    found = Partitions(".*", WHOLE, _opener(Memory(), _Heads()), BROKER, lambda: None, Items("ingest", InMemory()))
    stopped, aside = TopicPartition("a", 0), TopicPartition("b", 0)
    found.streams = {one: cast(Stream, _Stream()) for one in (stopped, aside)}
    await found.drop(found.streams[stopped].shard, TamperError("a/0/tile/entries/000 holds other bytes"))
    await found.drop(found.streams[aside].shard, ZeroDivisionError())
    assert found.faults and found.aside
    found.begin()
    assert not found.faults and not found.aside and not found._stopped


async def test_a_partition_that_fails_unexpectedly_is_set_aside_and_comes_back_until_it_is_up_to_date() -> None:
    clock = FixedClock(datetime(2026, 11, 29, tzinfo=UTC))
    items = Items("ingest", InMemory(clock), again=partitions.AGAIN_SECONDS)
    found = Partitions(".*", WHOLE, _opener(Memory(), _Heads()), BROKER, lambda: None, items)
    bad, good = TopicPartition("a", 0), TopicPartition("b", 0)
    found.streams = {one: cast(Stream, _Stream()) for one in (bad, good)}
    await found.drop(found.streams[bad].shard, ZeroDivisionError("luisg@embraer.com.br"))
    assert set(found.streams) == {good} and not found.faults
    assert found.aside["a/0"].reason.startswith("ZeroDivisionError") and "luisg" not in str(found.aside)
    for _ in range(20):  # for ever, and never a minute late
        assert await found._due([bad, good]) == [good]
        clock.advance(timedelta(seconds=partitions.AGAIN_SECONDS))
        assert await found._due([bad, good]) == [bad, good]
        await found.put_aside(bad, ZeroDivisionError())
    await found.up_to_date(bad)
    assert await found._due([bad]) == [bad] and not found.aside and not await items.known()


OWN = [ZeroDivisionError, InvariantError, MalformedError, ConflictError, KeyError]


@pytest.mark.parametrize("error", OWN)
async def test_what_is_wrong_with_a_partition_sets_it_aside_whoever_meets_it(error: type[Exception]) -> None:
    found = _partitions(_Opener())
    bad, good = TopicPartition("a", 0), TopicPartition("b", 0)
    found.streams = {one: cast(Stream, _Stream()) for one in (bad, good)}
    async with found.alone(bad):  # while it is looked for, opened or sequenced
        raise error
    assert set(found.streams) == {good} and list(found.aside) == ["a/0"] and not found.faults
    await found.drop(found.streams[good].shard, error())  # while it is written or published
    assert not found.streams and list(found.aside) == ["a/0", "b/0"] and not found.faults


@pytest.mark.parametrize("error", [UnavailableError, KafkaError, OSError, TimeoutError])
async def test_a_part_that_is_away_is_nothing_against_a_partition(error: type[Exception]) -> None:
    found, bad = _partitions(_Opener()), TopicPartition("a", 0)
    found.streams = {bad: cast(Stream, stream := _Stream())}
    with pytest.raises(error):
        async with found.alone(bad):
            raise error
    assert set(found.streams) == {bad}
    await found.drop(stream.shard, error())
    assert not found.streams and not found.aside and not found.faults, "it is opened again at the next look"


@pytest.mark.parametrize("error", OWN)
@pytest.mark.parametrize("where", ["head", "open"])
async def test_a_partition_that_cannot_be_opened_holds_up_no_other(
    now: list[float], where: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    opener, broker = _Opener(), _Broker(9)
    found = Partitions("a|b", WHOLE, opener, BROKER, lambda: None, Items("ingest", InMemory()))
    there = {TopicPartition(one, 0): None for one in "ab"}
    real = getattr(opener, where)

    async def there_(_: object) -> dict[TopicPartition, None]:
        return there

    async def fails(partition: TopicPartition, *rest: Any) -> object:
        if partition.topic == "a":
            raise error
        return await real(partition, *rest)

    monkeypatch.setattr(found, "_there", there_)
    monkeypatch.setattr(opener, where, fails)
    await look(found, broker)
    assert list(found.streams) == [TopicPartition("b", 0)] and list(found.aside) == ["a/0"]


async def test_a_partition_that_was_set_aside_is_well_when_it_goes_on_however_much_comes() -> None:
    """Under steady traffic the log is never level with the broker."""
    ingest, part = _ingest(), TopicPartition("a", 0)
    await ingest._partitions.put_aside(part, ZeroDivisionError())
    shard = SimpleNamespace(
        published_offset=0, next_offset=0, head=SimpleNamespace(topic_id=None), store=SimpleNamespace(shard="a/0")
    )
    ingest._partitions.streams[part] = Stream(cast(Shard, shard), 0)
    consumer = cast(AIOKafkaConsumer, SimpleNamespace(highwater=lambda _: 1_000))
    await ingest._measure(consumer)
    assert ingest.faults == {"a/0": "set-aside"}, "nothing of it is in the log yet"
    shard.published_offset = 10
    await ingest._measure(consumer)
    assert ingest.faults == {} and ingest.behind == {"a/0": 990}


def _ingest() -> Ingest:
    nothing = cast(Any, None)
    return Ingest(pattern="a", opener=_Opener(), sealer=nothing, broker=BROKER, published=lambda: None)


class _Broker:
    """An administrator and a consumer of one partition; `end` is what it says it has, `ids` what it says of its topic, the
    last of them for ever."""

    def __init__(self, end: int, *ids: UUID) -> None:
        self.end = end
        self.ids = list(ids)
        self.sought: list[int] = []

    async def ask(self, request: Any) -> Any:
        topic_id = self.ids.pop(0) if len(self.ids) > 1 else self.ids[0] if self.ids else NO_ID
        return SimpleNamespace(API_VERSION=12, topics=[(0, "a", topic_id, False, [(0, 0)], 0, {})])

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


class _Opener(Opener):
    """Opens nothing, and says what it was asked to open. `known`: the topic id of the head."""

    def __init__(self, known: UUID | None = None) -> None:
        self.known = known
        self.asked: list[tuple[Any, ...]] = []

    async def head(self, partition: TopicPartition) -> HeadState:
        return replace(HEAD, topic_id=self.known)

    def _shard(self, name: str, next_offset: int, topic_id: UUID | None) -> Shard:  # type: ignore[override]  # a stand-in
        head = replace(HEAD, shard=name, topic_id=topic_id)
        return cast(Shard, SimpleNamespace(next_offset=next_offset, store=SimpleNamespace(shard=name), head=head))

    async def open(self, partition: TopicPartition, start: int, topic_id: UUID | None) -> Shard:
        self.asked.append(("open", topic_id))
        self.known = self.known or topic_id
        return self._shard("a/0", 7, self.known)

    async def anew(self, broker: BrokerSettings, old: HeadState, start: int, end: int, topic_id: UUID | None) -> Shard:
        self.asked.append(("anew", end, topic_id))
        self.known = topic_id
        return self._shard("a~2/0", end, topic_id)

    async def earlier(self, head: HeadState) -> list[Shard]:
        return []

    async def list(self) -> None: ...


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the doubts."""
    time = [100.0]
    monkeypatch.setattr(partitions, "time", SimpleNamespace(monotonic=lambda: time[0]))
    monkeypatch.setattr(partitions, "Stream", _OfShard)
    return time


class _OfShard:
    def __init__(self, shard: Shard, start: int) -> None:
        self.shard, self.position, self.topic_id = shard, shard.next_offset, shard.head.topic_id


async def look(found: Partitions, broker: _Broker) -> None:
    await found.discover(cast(AIOKafkaConsumer, broker), cast(Admin, broker))


def _partitions(opener: Opener) -> Partitions:
    return Partitions("a", WHOLE, opener, BROKER, lambda: None, Items("ingest", InMemory()))


async def test_a_broker_that_shows_less_for_a_moment_begins_no_generation(now: list[float]) -> None:
    """It starts, or its log was read before another owner went on: only one that goes on saying so is believed."""
    starts, broker = _partitions(opener := _Opener()), _Broker(end=5)
    await look(starts, broker)
    now[0] += partitions.DOUBT_SECONDS - 1
    await look(starts, broker)
    assert not starts.streams and not opener.asked and not broker.sought
    starts.forget()  # the broker went away: what it said before that is worth nothing
    now[0] += partitions.DOUBT_SECONDS
    await look(starts, broker)
    assert not starts.streams and not opener.asked
    broker.end = 7
    await look(starts, broker)
    assert broker.sought == [7] and opener.asked == [("open", None)]

    lost, broker = _partitions(opener := _Opener()), _Broker(end=5)
    await look(lost, broker)
    now[0] += partitions.DOUBT_SECONDS + 1
    await look(lost, broker)
    assert opener.asked == [("anew", 5, None)] and broker.sought == [5]


ONE, TWO = UUID(int=1), UUID(int=2)


async def test_a_topic_with_another_id_is_another_topic_whatever_its_offsets(now: list[float]) -> None:
    """Found when the service starts: the new one is longer than the log."""
    found, broker = _partitions(opener := _Opener(ONE)), _Broker(9, TWO)
    await look(found, broker)
    assert not found.streams and not opener.asked, "one that lags behind may say so for a moment"
    now[0] += partitions.DOUBT_SECONDS
    await look(found, broker)
    assert opener.asked == [("anew", 9, TWO)] and found.reads() == {TopicPartition("a", 0): TWO}


async def test_while_it_is_not_certain_the_old_topic_is_read_and_nothing_of_the_new_one(now: list[float]) -> None:
    part = TopicPartition("a", 0)
    found, broker = _partitions(opener := _Opener(ONE)), _Broker(9, ONE)
    await look(found, broker)
    for seconds, said in ((0, TWO), (9, TWO), (9, ONE), (9, TWO), (9, TWO)):
        now[0] += seconds
        broker.ids = [said]
        await look(found, broker)
        assert found.reads() == {part: ONE} and opener.asked == [("open", ONE)]
    now[0] += 1
    await look(found, broker)
    assert found.reads() == {part: TWO} and opener.asked == [("open", ONE), ("anew", 9, TWO)]


async def test_a_partition_whose_broker_lost_what_was_read_is_read_no_further_and_opened_again(now: list[float]) -> None:
    part = TopicPartition("a", 0)
    found, broker = _partitions(opener := _Opener(ONE)), _Broker(9, ONE)
    await look(found, broker)
    found.diverged(part)
    assert found.reads() == {} and part in found.streams, "what was received before that is written"
    await look(found, broker)
    assert found.reads() == {part: ONE} and opener.asked == [("open", ONE), ("open", ONE)] and broker.sought == [7, 7]


async def test_a_shard_that_fails_while_its_next_generation_is_listed_is_opened_again(now: list[float]) -> None:
    """Publication happens beside it, and drops what it cannot publish."""
    part = TopicPartition("a", 0)
    found, broker = _partitions(opener := _Opener(ONE)), _Broker(9, ONE)
    await look(found, broker)

    async def fails() -> None:
        await found.drop(found.streams[part].shard, AnotherOwnerError("another owner moved the head"))

    opener.list = fails  # type: ignore[method-assign]
    await found.anew(cast(AIOKafkaConsumer, broker), part)
    assert not found.streams and broker.sought == [7], "nothing is sought in what is not read"
    opener.list = _Opener().list  # type: ignore[method-assign]
    await look(found, broker)
    assert part in found.streams


async def test_an_id_is_learnt_once_the_broker_tells_it(now: list[float]) -> None:
    """And it stays what it was, where the broker goes back to saying nothing."""
    found, broker = _partitions(opener := _Opener()), _Broker(9)
    await look(found, broker)
    assert found.reads() == {TopicPartition("a", 0): None}
    for said in (ONE, NO_ID, ONE):
        broker.ids = [said]
        await look(found, broker)
        assert found.reads() == {TopicPartition("a", 0): ONE}
    assert opener.asked == [("open", None), ("open", ONE)]


async def test_offsets_of_a_topic_that_changed_meanwhile_are_not_used(now: list[float]) -> None:
    found, broker = _partitions(opener := _Opener(ONE)), _Broker(9, ONE, TWO, ONE)
    await look(found, broker)
    assert not opener.asked and not found.streams
    await look(found, broker)
    assert opener.asked == [("open", ONE)]


async def test_a_doubt_about_a_topic_that_went_away_is_worth_nothing(now: list[float]) -> None:
    found, broker = _partitions(opener := _Opener(ONE)), _Broker(9, TWO)
    await look(found, broker)
    gone = _Broker(9, TWO)
    gone.ask = _nothing  # type: ignore[method-assign]  # the topic is deleted
    await look(found, gone)
    now[0] += partitions.DOUBT_SECONDS
    await look(found, broker)
    assert not opener.asked


async def _nothing(request: Any) -> Any:
    return SimpleNamespace(API_VERSION=12, topics=[])
