"""Backing off."""

from datetime import UTC, datetime, timedelta

from services.identity.sessions.model import Tries, failed, free_failures, longest_wait, wait

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


def test_the_wait_ends_and_a_day_forgets() -> None:
    tries = after(free_failures)
    assert wait(tries, NOW + timedelta(seconds=30)) == 0
    assert failed(tries, NOW + timedelta(days=2)).failures == 1
