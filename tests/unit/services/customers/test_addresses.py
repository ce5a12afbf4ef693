"""A changed address: when it begins to prove who somebody is, and who is enough to decide."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.customers.addresses.model import decided_by_two, proven_by
from services.customers.pages.texts import EN, ZH

NOW = datetime(2026, 11, 28, tzinfo=UTC)
WAIT = timedelta(days=30)
DAYS = st.none() | st.integers(0, 60).map(lambda days: NOW - timedelta(days=days))


@given(st.booleans(), st.booleans(), DAYS, DAYS, DAYS)
def test_nobody_proves_anything_without_the_mailbox_that_was_proven(
    had: bool, has: bool, told: datetime | None, confirmed: datetime | None, agreed: datetime | None
) -> None:
    how = proven_by(
        had_address=had, has_address=has, told_at=told, confirmed_at=confirmed, agreed_at=agreed, now=NOW, wait=WAIT
    )
    old_spoke = agreed is not None and (confirmed is not None or not has)
    old_was_silent = told is not None and told <= NOW - WAIT
    assert (how is not None) == (had and (old_spoke or old_was_silent))
    if agreed is None and told is None:
        assert how is None, "the new mailbox alone says nothing"


def test_two_people_are_two_besides_who_changed_it() -> None:
    assert decided_by_two(["sub_1", "sub_2"], "sub_3")
    assert not decided_by_two(["sub_1", "sub_2"], "sub_2")
    assert not decided_by_two(["sub_1", "sub_1"], "sub_3")


def test_both_languages_have_the_same_gaps() -> None:
    assert EN.keys() == ZH.keys()
    for key in EN:
        for gap in ("{controller}", "{contact}", "{days}", "{link}", "{change}"):
            assert (gap in EN[key]) == (gap in ZH[key]), key
