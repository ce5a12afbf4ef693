"""A counter gives back what was taken of it, and never lets more through than its rule says."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.dsar.portal.counting import Rule, wait

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = Rule(5, HOUR)


def taken(spent_until: datetime, now: datetime, rule: Rule) -> datetime | None:
    """As the counter stands after one more; None where there is no room."""
    return None if wait(spent_until, now, rule) else max(spent_until, now) + rule.each


@given(st.lists(st.integers(0, 2000), max_size=200))
def test_no_more_at_once_than_the_rule_says_and_whoever_waits_gets_in(pauses: list[int]) -> None:
    now, spent_until, let_in = NOW, NOW, list[datetime]()
    for seconds in pauses:
        now += timedelta(seconds=seconds)
        after = taken(spent_until, now, RULE)
        if after is None:
            assert timedelta(seconds=wait(spent_until, now, RULE)) <= RULE.each, "room comes back after its part of the hour"
            assert taken(spent_until, now + timedelta(seconds=wait(spent_until, now, RULE)), RULE), "as it was said"
            assert let_in and now - let_in[-1] < RULE.each, "a code younger than its fifteen minutes is in the mailbox"
            continue
        spent_until = after
        let_in.append(now)
        assert len([one for one in let_in if one > now - RULE.each]) <= RULE.most
        assert len([one for one in let_in if one > now - HOUR]) < 2 * RULE.most


def test_a_counter_that_nothing_was_taken_of_has_all_its_room() -> None:
    spent_until = NOW - HOUR
    for _ in range(RULE.most):
        found = taken(spent_until, NOW, RULE)
        assert found is not None
        spent_until = found
    assert taken(spent_until, NOW, RULE) is None
    assert wait(spent_until, NOW, RULE) == 12 * 60
    assert taken(spent_until, NOW, RULE.twice()) is not None, "who had none gets in, up to twice as many"
    assert taken(spent_until, NOW + 10 * HOUR, RULE) is not None
