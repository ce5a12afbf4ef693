"""What the index takes from an entry; nothing that a publisher writes can stop it."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.index.model import YEARS, Cursor, Facts, Filters, cursor_of, facts_of, filters_of
from services.audit.log.entry import Entry, Kind, Place
from shared.errors import InvalidInputError, MalformedError

ONE, TWO = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f", "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e2f"
VIEWED = b"kept.customers.records.viewed.v1"


def test_a_look_names_all_whom_it_concerns() -> None:
    headers = (("ce_id", b"e"), ("ce_type", VIEWED), ("ce_actor", TWO.encode()))
    value = json.dumps({"subjects": [ONE, TWO, "luis"], "purpose": "support", "fields": {"email": "masked"}, "x": 1})
    facts = facts_of(Entry(Kind.RECORD, Place("kept.customers", 0, 0, 0), headers, None, value.encode()))
    assert (facts.about, facts.actor) == ((ONE, TWO), TWO)
    assert (facts.purpose, facts.look, facts.detail) == (
        "support",
        True,
        {"fields": {"email": "masked"}, "subjects": [ONE, TWO]},
    )


def test_of_a_sealed_entry_only_what_is_in_clear() -> None:
    entry = Entry(Kind.SEALED, Place("billing.events", 0, 0, 0), (("ce_id", b"e"),), sealing="n", body=b"{}")
    assert (facts_of(entry).ce_id, facts_of(entry).detail) == ("e", {})


@pytest.mark.parametrize("when", [-(2**63), -1, 0, 253_402_300_800_000, 2**63 - 1])
@pytest.mark.parametrize("purpose", [b'"a\\u0000b"', b'"\\ud800"', b"NaN", b"-Infinity", b'{"\\u0000": ["\\u0000"]}', b"1e999"])
def test_every_entry_has_facts_that_the_database_takes(when: int, purpose: bytes) -> None:
    headers = (("ce_id", b"a\x00\xff"), ("ce_type", VIEWED + b"\x00"), ("ce_actor", b"\x00"), ("ce_time", b"999999"))
    facts = facts_of(Entry(Kind.RECORD, Place("t", 0, 0, when), headers, None, b'{"purpose": ' + purpose + b"}"))
    text = json.dumps([facts.ce_id, facts.type, facts.actor, facts.purpose, facts.detail], allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text


def test_a_change_shows_which_fields_and_never_their_ciphertext() -> None:
    headers = (("ce_id", b"e"), ("ce_type", b"kept.customers.customer.updated.v1"), ("ce_subject", ONE.encode()))
    value = json.dumps({"fields": {"phone": "AQAB", "email": None}, "version": 2, "locators": ["loc_1", 5]})
    facts = facts_of(Entry(Kind.RECORD, Place("kept.customers", 0, 0, 0), headers, None, value.encode()))
    assert (facts.detail, facts.locators, facts.look) == ({"changed": ["email", "phone"]}, ("loc_1",), False)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-01-01T00:00:00Z", "1-1-1", ""]
)
def test_a_time_at_the_calendar_s_ends_is_the_broker_s(text: str) -> None:
    headers = (("ce_time", text.encode()),)
    assert facts_of(Entry(Kind.RECORD, Place("t", 0, 0, 1_000), headers)).time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


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
    facts = Facts("e", "kept.a.b.viewed.v1", TWO, ONE, at, "0" * 32, "support", True, (ONE, TWO), ())
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
