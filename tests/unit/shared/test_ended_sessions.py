"""Ended sessions: what is remembered, for how long, and what is answered before everything is known."""

from datetime import UTC, datetime
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from services.identity.events import SessionEnded
from shared import ended_sessions
from shared.access.actor import Actor
from shared.bus.envelope import Record, to_record
from shared.ended_sessions import EndedSessions
from shared.errors import UnauthenticatedError, UnavailableError

AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)


def test_before_the_start_is_over_no_token_is_judged() -> None:
    with pytest.raises(UnavailableError):
        EndedSessions().require_open("ses_1")


@pytest.fixture
def sessions() -> EndedSessions:
    made = EndedSessions()
    made._ready = True  # as after reading back
    return made


def test_an_ended_session_is_refused_and_no_other(sessions: EndedSessions) -> None:
    sessions.end("ses_1")
    sessions.require_open("ses_2")
    with pytest.raises(UnauthenticatedError):
        sessions.require_open("ses_1")


def test_only_what_says_that_a_session_ended_ends_one(sessions: EndedSessions) -> None:
    told = to_record(SessionEnded(subject="usr_1", sessions=["ses_1", "ses_2"]), Actor.system("identity"), AT, "id-1")
    headers = {**dict(told.headers), "ce_type": b"kept.identity.session.started.v1"}
    torn = Record(told.topic, told.key, told.headers, b"{")
    for other in (Record(told.topic, told.key, tuple(headers.items()), told.value), torn, Record(told.topic, None, (), None)):
        sessions._take(cast(ConsumerRecord, other))
        sessions.require_open("ses_1")
    sessions._take(cast(ConsumerRecord, told))
    for session in ("ses_1", "ses_2"):
        with pytest.raises(UnauthenticatedError):
            sessions.require_open(session)


def test_it_is_remembered_as_long_as_a_token_lives(sessions: EndedSessions, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(ended_sessions.time, "monotonic", lambda: now)
    sessions.end("ses_1")
    now += ended_sessions.TOKEN_LIFE_MAX.total_seconds() - 1
    sessions.end("ses_2")
    assert len(sessions._ended) == 2
    now += 2
    sessions.end("ses_3")
    assert set(sessions._ended) == {"ses_2", "ses_3"}


def test_memory_has_a_limit_and_the_oldest_go_first(sessions: EndedSessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_sessions, "SESSIONS_MAX", 3)
    for n in range(5):
        sessions.end(f"ses_{n}")
    assert set(sessions._ended) == {"ses_2", "ses_3", "ses_4"}


TOPIC = [TopicPartition("kept.identity", n) for n in (0, 1)]


class JustStarted:
    """A broker that has three records in partition 0, one too old, and says at first that it has none. Nobody can have a real
    one say it: it does for milliseconds, sometimes."""

    def __init__(self) -> None:
        self.asked = 0
        self.at = dict.fromkeys(TOPIC, -1)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked += 1
        return dict(zip(partitions, (0, 0) if self.asked == 1 else (3, 0), strict=True))

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, None]:
        return dict.fromkeys(times)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self.at[partition]

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[int]]:
        if self.asked == 1:
            return {}
        if self.at[TOPIC[0]] >= 3:
            raise KafkaError
        first, self.at[TOPIC[0]] = self.at[TOPIC[0]], 3
        return {TOPIC[0]: list(range(first, 3))}


async def test_a_broker_that_was_just_started_hides_no_ended_session(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, broker, taken = EndedSessions(), JustStarted(), []

    async def assigned(*_: object) -> list[TopicPartition]:
        return TOPIC

    def take(record: int) -> None:
        taken.append((record, sessions._ready))

    monkeypatch.setattr(ended_sessions, "assign", assigned)
    monkeypatch.setattr("shared.bus.reading.CONFIRM_SECONDS", 0.0)
    monkeypatch.setattr(sessions, "_take", take)
    with pytest.raises(KafkaError):
        await sessions._follow(cast(AIOKafkaConsumer, broker))
    assert taken == [(0, False), (1, False), (2, False)] and await sessions.ready()
