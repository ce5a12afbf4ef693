"""Ended sessions: what is remembered, for how long, and what is answered before everything is known."""

import pytest

from shared.access import ended
from shared.access.ended import EndedSessions
from shared.errors import UnauthenticatedError, UnavailableError


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


def test_it_is_remembered_as_long_as_a_token_lives(sessions: EndedSessions, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(ended.time, "monotonic", lambda: now)
    sessions.end("ses_1")
    now += ended.TOKEN_LIFE_MAX.total_seconds() - 1
    sessions.end("ses_2")
    assert len(sessions._ended) == 2
    now += 2
    sessions.end("ses_3")
    assert set(sessions._ended) == {"ses_2", "ses_3"}


def test_memory_has_a_limit_and_the_oldest_go_first(sessions: EndedSessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "SESSIONS_MAX", 3)
    for n in range(5):
        sessions.end(f"ses_{n}")
    assert set(sessions._ended) == {"ses_2", "ses_3", "ses_4"}
