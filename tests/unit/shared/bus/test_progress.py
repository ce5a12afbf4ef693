"""What a flood of malformed records costs: round trips, counted; and that no commit passes a letter that is not sent."""

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from hypothesis import given
from hypothesis import strategies as st

from shared import handlers as consumer
from shared.bus import dlq
from shared.bus.broker import BrokerSettings
from shared.bus.envelope import Envelope
from shared.bus.event import Event
from shared.bus.inbox import Given
from shared.bus.progress import BYTES_MAX, LETTERS_MAX, Progress
from shared.handlers import Handlers
from shared.work import Door, Work

PARTS = 3


class Wanted(Event, type="kept.billing.progress.wanted.v1", topic="billing.events"):
    """The one type that is handled."""


@dataclass
class Consumed:
    topic: str
    partition: int
    offset: int
    key: bytes | None = b"k"
    value: bytes | None = b"{"
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Broker:
    """Both clients. It notes what was acknowledged, and what had been acknowledged when something was committed."""

    fails: list[Exception] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    commits: list[dict[TopicPartition, int]] = field(default_factory=list)
    rounds: int = 0
    _now: int = 0

    async def send_and_wait(self, topic: str, **letter: Any) -> None:
        self._now += 1
        if self._now == 1:
            self.rounds += 1  # all that are under way at once are one round
        await asyncio.sleep(0)
        self._now -= 1
        if self.fails:
            raise self.fails.pop()
        headers = dict(letter["headers"])
        self.sent.append(f"{headers[dlq.PARTITION].decode()}/{headers[dlq.OFFSET].decode()}")

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("billing.events", n) for n in range(PARTS)}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits.append(offsets)

    async def settle(self, progress: Progress) -> bool:
        return await progress.settle(cast("AIOKafkaProducer", self), cast("AIOKafkaConsumer", self))

    @property
    def committed(self) -> dict[TopicPartition, int]:
        return {part: offset for one in self.commits for part, offset in one.items()}


def record(n: int, **other: Any) -> ConsumerRecord:
    return cast("ConsumerRecord", Consumed("billing.events", n % PARTS, n // PARTS, **other))


def letter(one: ConsumerRecord) -> Any:
    return dlq.bury("backup", one, Given("malformed", 1))


@given(st.integers(1, 3 * LETTERS_MAX))
async def test_a_flood_costs_a_round_for_every_batch_and_loses_nothing(count: int) -> None:
    broker, progress = Broker(), Progress()
    for n in range(count):
        progress.note(record(n), letter(record(n)))
        if progress.full:
            assert await broker.settle(progress)
    progress.note(record(count), None)  # the good one behind them
    assert await broker.settle(progress)
    assert broker.rounds <= math.ceil(count / LETTERS_MAX)
    assert len(broker.commits) <= math.ceil(count / LETTERS_MAX) + 1
    assert sorted(broker.sent) == sorted(f"{n % PARTS}/{n // PARTS}" for n in range(count)), "each once"
    assert broker.committed[TopicPartition("billing.events", count % PARTS)] == count // PARTS + 1


LARGE = b"x" * 1_000_000


@pytest.mark.parametrize("large", [{"value": LARGE}, {"headers": (("x", LARGE),)}, {"key": LARGE}])
async def test_large_letters_are_sent_earlier(large: dict[str, Any]) -> None:
    progress = Progress()
    for n in range(BYTES_MAX // 1_000_000 + 1):
        assert not progress.full
        progress.note(record(n), letter(record(n, **large)))
    assert progress.full
    assert await Broker().settle(progress) and not progress.full


@pytest.mark.parametrize(("why", "answers"), [(TopicAuthorizationFailedError(), True), (KafkaConnectionError(), True)])
async def test_nothing_is_committed_before_its_letter_is_acknowledged_and_none_is_sent_twice(
    why: Exception, answers: bool
) -> None:
    broker, progress = Broker([why]), Progress()
    for n in range(6):
        progress.note(record(n), letter(record(n)))
    assert await broker.settle(progress)
    assert progress.refused and not broker.commits and len(broker.sent) == 5
    assert await broker.settle(progress)
    assert not progress.refused and sorted(broker.sent) == sorted(f"{n % PARTS}/{n // PARTS}" for n in range(6))
    assert set(broker.committed.values()) == {2}


async def test_two_that_settle_at_once_commit_nothing_early() -> None:
    """The watch settles while a record is being taken."""
    broker, progress = Broker(), Progress()
    progress.note(record(0), letter(record(0)))
    first = asyncio.create_task(broker.settle(progress))
    await asyncio.sleep(0)
    progress.note(record(3), letter(record(3)))
    assert await broker.settle(progress) and await first
    assert broker.sent == ["0/0", "0/1"]
    assert [list(one.values()) for one in broker.commits] == [[1], [2]]


async def test_nothing_more_is_taken_while_full_and_the_broker_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits in memory has a bound, also where the topic of the dead letters is refused for long."""
    monkeypatch.setattr(consumer, "START_PAUSE_SECONDS", 0.0)
    broker = Broker([TopicAuthorizationFailedError()] * (3 * LETTERS_MAX))  # three rounds
    life = consumer._Life(cast("AIOKafkaProducer", broker))
    for n in range(LETTERS_MAX - 1):
        life.progress.note(record(n), letter(record(n)))
    handlers = Handlers("backup", cast("Door", None), BrokerSettings("nowhere"), ["billing.events"])
    handlers.on(Wanted)(nothing)
    last = record(LETTERS_MAX - 1, headers=(("ce_type", Wanted.type_.encode()),))
    await handlers._take(life, last)
    assert not life.progress.full and len(set(broker.sent)) == LETTERS_MAX == len(broker.sent)


# -- whose it is ------------------------------------------------------------------------------------------------


async def nothing(_: Work, __: Wanted, ___: Envelope) -> None: ...


async def buried(topic: str, *headers: tuple[str, bytes]) -> bool:
    handlers = Handlers("backup", cast("Door", None), BrokerSettings("nowhere"), ["billing.events", "kept.customers"])
    handlers.on(Wanted)(nothing)
    return await handlers.handle(cast("ConsumerRecord", Consumed(topic, 0, 0, headers=headers))) is not None


@pytest.mark.parametrize("headers", [(), (("ce_type", b"billing.thing.made.v1"),), (("ce_type", b"\xff"),)])
async def test_what_is_no_event_on_another_teams_topic_is_not_ours_to_bury(headers: tuple[tuple[str, bytes], ...]) -> None:
    assert not await buried("billing.events", *headers)
    assert await buried("kept.customers", *headers), "on our own topic it is somebody's mistake"


async def test_what_claims_a_type_that_is_handled_is_a_letter_wherever_it_came() -> None:
    wanted = ("ce_type", Wanted.type_.encode())
    assert await buried("billing.events", wanted)
    assert await buried("billing.events", ("ce_type", b"other"), wanted), "one of two is enough"


# -- what is passed over ----------------------------------------------------------------------------------------


def told(type_: bytes, topic: str = "kept.customers", **other: bytes) -> ConsumerRecord:
    """A well-formed record of this type, unless `other` says differently."""
    headers = {
        "ce_specversion": b"1.0", "ce_id": b"1", "ce_type": type_, "ce_source": b"/services/customers",
        "ce_time": b"2026-01-02T03:04:05Z", "content-type": b"application/json",
    }  # fmt: skip
    return cast("ConsumerRecord", Consumed(topic, 0, 6, value=b"{}", headers=tuple((headers | other).items())))


def passed_over(record: ConsumerRecord, life: consumer._Life) -> bool:
    handlers = Handlers("backup", cast("Door", None), BrokerSettings("nowhere"), ["billing.events", "kept.customers"])
    handlers.on(Wanted)(nothing)
    return handlers._passes_over(life, record)


async def test_what_nobody_here_waits_for_is_done_by_being_seen() -> None:
    broker = Broker()
    life = consumer._Life(cast("AIOKafkaProducer", broker))
    life.watch.busy = True
    assert passed_over(told(b"billing.invoice.made.v1", "billing.events"), life)
    assert not life.watch.busy, "who passes records over does not stand still"
    assert await broker.settle(life.progress)
    assert broker.committed == {TopicPartition("billing.events", 0): 7}


@pytest.mark.parametrize(
    "record",
    [
        told(Wanted.type_.encode(), "billing.events"),
        told(Wanted.type_.encode()),
        told(b"kept.customers.records.viewed.v1", ce_time=b"yesterday"),
        told(b"kept.customers.records.viewed.v1", dlq.topic_of("backup")),
    ],
    ids=["it is waited for", "it came by another topic", "it is malformed", "a dead letter"],
)
def test_all_else_is_handled(record: ConsumerRecord) -> None:
    assert not passed_over(record, consumer._Life(cast("AIOKafkaProducer", Broker())))


def test_nothing_is_passed_over_behind_a_record_that_is_not_done() -> None:
    """To commit behind it would lose it."""
    life = consumer._Life(cast("AIOKafkaProducer", Broker()))
    life.trouble.set()
    assert not passed_over(told(b"kept.customers.records.viewed.v1"), life)
