"""Backing off."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.identity.sessions.model import Tries, failed, free_failures, longest_wait, refusal_step, until_next, wait

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def after(count: int, now: datetime = NOW) -> Tries:
    tries = Tries()
    for _ in range(count):
        tries = failed(tries, now)
    return tries


def test_typing_errors_are_free_then_it_takes_longer_each_time_but_never_for_ever() -> None:
    assert wait(after(free_failures - 1), NOW) == 0
    waits = [wait(after(n), NOW) for n in range(free_failures, 40)]
    assert waits[:3] == [31, 61, 121] and waits == sorted(waits)
    assert waits[-1] == longest_wait.total_seconds() + 1


@given(st.floats(min_value=0, max_value=60))
def test_a_refusal_comes_at_one_of_few_moments(elapsed: float) -> None:
    told = elapsed + until_next(elapsed)
    assert told > elapsed and abs(told / refusal_step - round(told / refusal_step)) < 1e-6


def test_what_takes_a_little_longer_is_told_at_the_same_moment() -> None:
    assert 0.11 + until_next(0.11) == 0.18 + until_next(0.18) == refusal_step


def test_the_wait_ends_and_a_day_forgets() -> None:
    tries = after(free_failures)
    assert wait(tries, NOW + timedelta(seconds=30)) == 0
    assert failed(tries, NOW + timedelta(days=2)).failures == 1
