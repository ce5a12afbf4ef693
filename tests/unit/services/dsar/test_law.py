"""The law's files and the law's clock: worked examples, edges, and properties."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dsar import law
from services.dsar.law.jurisdiction import Jurisdiction, holidays_of
from services.dsar.law.model import Calendar, Period, Right, add_months, deadline, end_of, strictest
from services.dsar.portal.places import named_places
from services.dsar.portal.refusal import authority, reason
from services.dsar.settings import LAWS, DsarSettings
from shared.errors import InvariantError, MalformedError

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


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_refusal_is_told_in_words_with_its_article_and_where_to_complain(language: str) -> None:
    settings = DsarSettings(service="dsar")
    for one in BOOK.values():
        where = authority(one, settings, language)
        assert one.authority.url in where and one.authority.article and one.authority.says("en") != one.authority.says("zh")
        for duty in one.duty:
            assert one.grounds(duty.right), f"{one.id}: no reason for which {duty.right} may be refused"
        assert len({ground.code for ground in one.refusal}) == len(one.refusal)
        for ground in one.refusal:
            said = reason(one, ground.code, language)
            assert ground.says(language) in said and ground.article in said and one.called(language) in said
            assert ground.code not in said
    unknown = reason(EU, "no-such-code", language)
    assert unknown and "no-such-code" not in unknown and reason(None, None, language) == unknown
    own = DsarSettings(service="dsar", supervisory_authority="DPC, https://www.dataprotection.ie")
    assert authority(EU, own, language) == "DPC, https://www.dataprotection.ie"
    assert "hipaa-164-524-a" not in [one.code for one in BOOK["us-hipaa"].grounds("erasure")]


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


NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
EVERYWHERE = Jurisdiction(BOOK, LAWS, (), "IE")


@pytest.mark.parametrize(
    ("right", "place", "law_id", "why"),
    [
        ("access", "CA-QC", "ca-qc-p391", "place"),  # a part of a country before the country
        ("access", "CA-ON", "ca-pipeda", "place"),
        ("access", "CA", "ca-pipeda", "place"),
        ("erasure", "CA", "eu-gdpr", "right"),  # PIPEDA sets no time for it
        ("erasure", "CA-QC", "ca-qc-p391", "place"),
        ("access", "BR", "br-lgpd", "place"),
        ("access", "DE", "eu-gdpr", "place"),
        ("access", "GB", "uk-gdpr", "place"),
        ("erasure", "CH", "eu-gdpr", "right"),
        ("access", "US-CA", "us-ca-ccpa", "place"),
        ("access", "US-TX", "us-tx-tdpsa", "place"),
        ("access", "US-NY", "eu-gdpr", "controller"),  # no law of theirs is kept
        ("access", "US", "eu-gdpr", "controller"),
        ("access", "CN", "cn-pipl", "place"),
        ("access", "", "eu-gdpr", "controller"),
        ("access", "JP", "eu-gdpr", "controller"),
    ],
)
def test_the_law_is_that_of_the_persons_place(right: Right, place: str, law_id: str, why: str) -> None:
    found, said = EVERYWHERE.governing(right, place, NOW)
    assert (found.law, said) == (law_id, why)
    assert found == deadline(BOOK[law_id], right, NOW, holidays_of(BOOK[law_id].calendar))


def test_a_law_of_the_controllers_sector_holds_besides_and_whichever_ends_first_governs() -> None:
    clinic = Jurisdiction(BOOK, LAWS, ("us-hipaa",), "US-TX")
    assert clinic.governing("access", "US-TX", NOW)[0].law == "us-hipaa"  # 30 days before 45
    assert clinic.governing("access", "US-TX", NOW)[1] == "sector"
    assert clinic.governing("access", "BR", NOW)[0].law == "br-lgpd"  # 15 days
    assert clinic.governing("erasure", "US-TX", NOW)[0].law == "us-tx-tdpsa"


def test_a_request_keeps_the_version_in_force_when_it_came() -> None:
    """Both by the date that it is in the law's own place: 2026 began in California eight hours after it did in UTC."""
    old, new = (
        BOOK.at("us-ca-ccpa", datetime(2026, 1, 1, 7, 59, tzinfo=UTC)),
        BOOK.at("us-ca-ccpa", datetime(2026, 1, 1, 8, tzinfo=UTC)),
    )
    assert old is not None and new is not None
    assert (old.in_force_from, new.in_force_from) == (date(2023, 1, 1), date(2026, 1, 1))
    assert new.duty == old.duty and not old.notice and new.notice, "what the newer one does not say is as before"
    assert BOOK.at("us-ca-ccpa", datetime(2022, 1, 1, tzinfo=UTC)) is None
    assert BOOK.of("us-ca-ccpa", datetime(2022, 1, 1, tzinfo=UTC)) == old
    before = datetime(2024, 1, 1, tzinfo=UTC)  # when Texas had none
    assert EVERYWHERE.governing("access", "US-TX", before)[1] == "controller"


def test_a_controller_whose_place_has_no_law_for_a_right_is_refused_at_the_start() -> None:
    BOOK.check(LAWS, "IE", ("access", "erasure"), NOW)
    BOOK.check(LAWS, "CA-QC", ("access", "erasure"), NOW)
    for place in ("JP", "CA", "US"):
        with pytest.raises(InvariantError, match="KEPT_PLACE"):
            BOOK.check(LAWS, place, ("access", "erasure"), NOW)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_place_and_law_has_a_name_for_people(language: str) -> None:
    names = dict(named_places(EVERYWHERE, language))
    assert len(names) == len(set(names.values())) > 30
    assert not any(name == code for code, name in names.items())
    assert all(one.called(language) and one.authority.name for one in BOOK.values())
    assert names["CA-QC"] == {"en": "Canada: Québec", "zh": "加拿大: 魁北克省"}[language]


def test_none_of_no_deadlines_is_strictest() -> None:
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
        ("[version.calendar]", "[version.calendar"),
        ('"AT", ', '"Austria", '),
        ("in_force_from = 2018-05-25", ""),
        ("in_force_from = 2018-05-25", "in_force_from = 2018-05-25\n[[version]]\nin_force_from = 2017-01-01"),
    ],
)
def test_a_damaged_law_file_stops_the_start_and_is_named(damage: tuple[str, str]) -> None:
    from importlib.resources import files

    text = (files("services.dsar.law") / "eu-gdpr.toml").read_text(encoding="utf-8")
    assert damage[0] in text
    with pytest.raises(MalformedError, match=r"law file eu-gdpr\.toml"):
        law.parse(text.replace(*damage), "eu-gdpr.toml")
