"""The law's files and the law's clock: worked examples, edges, and properties."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dsar import law
from services.dsar.requests.calendars import governing, holidays_of
from services.dsar.requests.model import Calendar, Period, add_months, deadline, end_of, strictest
from shared.errors import MalformedError

BOOK = law.load()
EU = BOOK["eu-gdpr"]
PLAIN = Calendar(zone="UTC", country="IE", rolls_to_working_day=False)
ROLLS = Calendar(zone="UTC", country="IE", rolls_to_working_day=True)


def never(_: date) -> bool:
    return False


def due(name: str, right: str, received: datetime) -> datetime:
    found = deadline(BOOK[name], right, received, holidays_of(BOOK[name].calendar))  # type: ignore[arg-type]  # test data
    assert found is not None
    return found.due.astimezone(ZoneInfo(BOOK[name].calendar.zone))


def test_every_law_of_the_promise_is_there_with_its_review() -> None:
    assert set(BOOK) >= {"eu-gdpr", "uk-gdpr", "us-ca-ccpa", "us-hipaa", "cn-pipl"}
    for one in BOOK.values():
        assert one.source.startswith("http")
        assert one.reviewed_on <= date(2100, 1, 1)
        assert all(duty.article and duty.clock and duty.seen for duty in one.duty)


@pytest.mark.parametrize(
    ("name", "received", "last_day"),
    [
        ("eu-gdpr", datetime(2026, 11, 24, 12, tzinfo=UTC), date(2026, 12, 24)),
        ("eu-gdpr", datetime(2026, 1, 31, 12, tzinfo=UTC), date(2026, 3, 2)),  # 28 February is a Saturday -> Monday
        ("eu-gdpr", datetime(2024, 1, 31, 12, tzinfo=UTC), date(2024, 2, 29)),  # the leap month's last day
        ("eu-gdpr", datetime(2026, 11, 25, 12, tzinfo=UTC), date(2026, 12, 28)),  # Christmas, St Stephen (Sat), Sunday
        ("uk-gdpr", datetime(2026, 11, 25, 12, tzinfo=UTC), date(2026, 12, 29)),  # Boxing Day observed on the Monday
        ("us-ca-ccpa", datetime(2026, 11, 24, 20, tzinfo=UTC), date(2027, 1, 8)),
        ("us-hipaa", datetime(2026, 11, 25, 20, tzinfo=UTC), date(2026, 12, 25)),  # calendar days: Christmas counts
        ("cn-pipl", datetime(2026, 11, 24, 20, tzinfo=UTC), date(2026, 12, 25)),  # already the 25th in Shanghai
    ],
)
def test_worked_examples(name: str, received: datetime, last_day: date) -> None:
    end = due(name, "access", received)
    assert end.date() - timedelta(days=1) == last_day
    assert (end.hour, end.minute) == (0, 0), "the period ends with the last hour of its day"


def test_the_day_is_that_of_the_place_not_of_utc() -> None:
    late_evening_in_california = datetime(2026, 11, 25, 5, tzinfo=UTC)
    assert due("us-ca-ccpa", "access", late_evening_in_california).date() == date(2027, 1, 9)


def test_the_confirmation_counts_working_days() -> None:
    found = deadline(
        BOOK["us-ca-ccpa"], "access", datetime(2026, 11, 24, 20, tzinfo=UTC), holidays_of(BOOK["us-ca-ccpa"].calendar)
    )
    assert found is not None and found.confirm is not None
    # 26 November is Thanksgiving, 27 November is the Day after Thanksgiving in California: ten days after both.
    assert found.confirm.astimezone(ZoneInfo("America/Los_Angeles")).date() == date(2026, 12, 11)


def test_the_extension_is_added_on_the_dates_before_the_end_moves() -> None:
    found = deadline(EU, "access", datetime(2026, 1, 31, 12, tzinfo=UTC), holidays_of(EU.calendar))
    assert found is not None and found.extended is not None
    assert found.extended.astimezone(ZoneInfo("Europe/Dublin")).date() == date(2026, 4, 29)


def test_hours_count_every_hour_and_do_not_move() -> None:
    friday = datetime(2026, 11, 27, 18, tzinfo=UTC)
    assert end_of([Period(hours=72)], friday, ROLLS, never) == friday + timedelta(hours=72)


def test_a_right_that_a_law_does_not_know_has_no_deadline_there() -> None:
    assert deadline(BOOK["us-hipaa"], "erasure", datetime(2026, 11, 24, tzinfo=UTC), never) is None


def test_the_strictest_law_governs() -> None:
    received = datetime(2026, 11, 24, 12, tzinfo=UTC)
    found = governing(list(BOOK.values()), "access", received)
    assert found is not None
    every = [due(name, "access", received) for name in BOOK]
    assert found.due == min(every)
    assert strictest([]) is None


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(1, 24))
def test_a_month_later_is_the_same_date_or_the_last_day(day: date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


@given(st.integers(946_684_800, 3_471_292_800).map(lambda at: datetime.fromtimestamp(at, UTC)), st.integers(1, 400))
def test_an_end_never_falls_on_a_weekend_and_never_comes_early(received: datetime, days: int) -> None:
    strict = end_of([Period(days=days)], received, PLAIN, never)
    rolled = end_of([Period(days=days)], received, ROLLS, never)
    assert (rolled - timedelta(hours=1)).weekday() < 5
    assert timedelta(0) <= rolled - strict <= timedelta(days=2)


@pytest.mark.parametrize(
    "damage",
    [
        ("within = { months = 1 }", "within = { months = 1, days = 30 }"),
        ("within = { months = 1 }", "within = { months = 0 }"),
        ("within = { months = 1 }", "within = { moons = 1 }"),
        ('reviewer = "Kept', 'revised_by = "Kept'),
        ('id = "eu-gdpr"', 'id = "eu"'),
        ("[calendar]", "[calendar"),
    ],
)
def test_a_damaged_law_file_stops_the_start_and_is_named(damage: tuple[str, str]) -> None:
    from importlib.resources import files

    text = (files("services.dsar.law") / "eu-gdpr.toml").read_text(encoding="utf-8")
    assert damage[0] in text
    with pytest.raises(MalformedError, match=r"law file eu-gdpr\.toml"):
        law.parse(text.replace(*damage), "eu-gdpr.toml")
