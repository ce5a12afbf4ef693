"""What can be asked of the index: read, or refused by the field's name."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.index.facts import YEARS, Facts
from services.audit.index.model import Cursor, Filters, cursor_of, filters_of
from shared.errors import InvalidInputError, MalformedError

ONE, TWO = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f", "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e2f"
VIEWED = b"kept.customers.records.viewed.v1"


first, last = (datetime(year, 12, 31) for year in (YEARS.start, YEARS.stop - 1))  # noqa: DTZ001  (hypothesis adds it)
times = st.datetimes(first, last, timezones=st.just(UTC))


@given(times, st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=30), st.integers(0, 2**63 - 1))
def test_a_cursor_reads_back(time: datetime, shard: str, index: int) -> None:
    assert cursor_of(Cursor(time, shard, index).text()) == Cursor(time, shard, index)


@given(
    st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda b: __import__("base64").urlsafe_b64encode(b).decode()))
)
def test_anything_else_is_no_cursor(text: str) -> None:
    with pytest.raises(MalformedError):
        cursor_of(text)


@given(
    st.dictionaries(
        st.sampled_from(["subject", "actor", "type", "purpose", "trace", "from", "to", "looks"]), st.text(max_size=50)
    )
)
def test_filters_are_read_or_refused_by_the_field_s_name(given_: dict[str, str]) -> None:
    try:
        filters_of(given_)
    except InvalidInputError as error:
        assert given_[error.field].strip()


@pytest.mark.parametrize("field", ["subject", "actor", "type", "purpose", "trace", "from", "to"])
@pytest.mark.parametrize("typed", ["luis@example.org", "Luís Gonçalves", "+55 12 3923-5555"])
def test_what_is_personal_cannot_be_a_filter_and_so_not_part_of_an_event(field: str, typed: str) -> None:
    with pytest.raises(InvalidInputError, match=field):
        filters_of({field: typed})


def test_a_date_means_the_whole_day() -> None:
    found = filters_of({"from": "2026-01-31", "to": "2026-01-31", "looks": "on", "type": "kept.customers.*"})
    assert (found.since, found.until) == (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert found.shown() == {
        "type": "kept.customers.*", "since": "2026-01-31T00:00:00+00:00", "until": "2026-02-01T00:00:00+00:00", "looks": "true",
    }  # fmt: skip


def test_filters_must_all_hold() -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    facts = Facts("e", "kept.a.b.viewed.v1", TWO, ONE, at, "0" * 32, "support", True, (ONE, TWO), (), {})
    assert Filters(subject=TWO, actor=TWO, type="kept.a.*", purpose="support", trace="0" * 32, since=at, looks=True).match(
        facts
    )
    for wrong in (
        Filters(subject="sub_x"),
        Filters(actor=ONE),
        Filters(type="kept.a.b"),
        Filters(purpose="x"),
        Filters(until=at),
    ):
        assert not wrong.match(facts)
