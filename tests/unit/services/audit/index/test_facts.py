"""What the index takes from an entry; nothing that a publisher writes can stop it."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.index.facts import HEADERS, facts_of
from services.audit.log.entry import Entry, Kind, Place
from tests.unit.services.audit.index import naive

ONE, TWO = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f", "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e2f"
VIEWED = b"kept.customers.records.viewed.v1"


def test_a_look_names_all_whom_it_concerns() -> None:
    headers = (("ce_id", b"e"), ("ce_type", VIEWED), ("ce_actor", TWO.encode()), ("ce_session", b"ses_1"))
    value = json.dumps({"subjects": [ONE, TWO, "luis"], "purpose": "support", "fields": {"email": "masked"}, "x": 1})
    facts = facts_of(Entry(Kind.RECORD, Place("kept.customers", 0, 0, 0), headers, None, value.encode()))
    assert (facts.about, facts.actor) == ((ONE, TWO), TWO)
    assert (facts.purpose, facts.look, facts.detail) == (
        "support",
        True,
        {"fields": {"email": "masked"}, "session": "ses_1", "subjects": [ONE, TWO]},
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


@pytest.mark.parametrize("columns", [2, ["Fax", "anna.secret@example.org"]])
def test_what_a_file_called_its_columns_is_counted_alone(columns: object) -> None:
    """Version 1 of the event named them, and stands in logs of before."""
    headers = (("ce_id", b"e"), ("ce_type", b"kept.customers.import.completed.v1"))
    value = json.dumps({"import_id": "imp_1", "refused_columns": columns}).encode()
    facts = facts_of(Entry(Kind.RECORD, Place("kept.customers", 0, 0, 0), headers, None, value))
    assert facts.detail == {"import_id": "imp_1", "refused_columns": 2}


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-01-01T00:00:00Z", "1-1-1", ""]
)
def test_a_time_at_the_calendar_s_ends_is_the_broker_s(text: str) -> None:
    headers = (("ce_time", text.encode()),)
    assert facts_of(Entry(Kind.RECORD, Place("t", 0, 0, 1_000), headers)).time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


TEXTS = st.sampled_from(
    ["", ONE, TWO, "loc_1", "loc_" + "x" * 97, "a\x00b", "\ud800", "é" * 300, "x" * 300, "\U0001f600"]
) | st.text(st.characters(), max_size=5)
PLAIN = TEXTS | st.none() | st.booleans() | st.integers() | st.just(2**63) | st.just(-(2**63)) | st.floats()
VALUES = st.recursive(
    PLAIN | st.lists(TEXTS, max_size=60) | st.dictionaries(TEXTS, PLAIN, max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    ["subjects", "purpose", "locators", "fields", "decision", "reason", "rows", "filters", "amr", "refused_columns", "other"]
)
BREAKS = [b"\x00", b"NaN", b"-", b'"', b"\\", b","]
TIMES = st.sampled_from(["2026-01-02T03:04:05.000006Z", "2026-01-02", "2026-01-02T03:04:05+14:00", "0001-01-01", "now", ""])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A JSON object as one or another would write it, seldom damaged."""
    data = draw(st.dictionaries(MEMBERS, VALUES, max_size=6))
    text = json.dumps(data, ensure_ascii=draw(st.booleans()))
    raw = bytearray(text.encode(draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-32-be"])), "surrogatepass"))
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 2))] = draw(
            st.binary(max_size=2) | st.sampled_from([b"\x00", b"NaN", b"-", b'"', b"\\"])
        )
    return bytes(raw)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    texts = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
    contents = st.none() | texts | st.binary(max_size=5) | st.sampled_from([VIEWED, VIEWED * 9]) | TIMES.map(str.encode)
    headers = draw(st.lists(st.tuples(st.sampled_from([*sorted(HEADERS), "ce_source"]), contents), max_size=8))
    place = Place("kept.customers", 0, 0, draw(st.integers(-(2**63), 2**63 - 1)))
    return Entry(
        draw(st.sampled_from([Kind.RECORD] * 5 + [Kind.SEALED])), place, tuple(headers), None, draw(st.none() | bodies())
    )


@settings(max_examples=500, deadline=None)
@given(entries())
def test_the_quick_way_is_the_plain_way(entry: Entry) -> None:
    quick, plain = facts_of(entry), naive.facts_of(entry)
    assert quick == plain
    assert json.dumps(quick.detail) == json.dumps(plain.detail), "and True is not 1"


@pytest.mark.parametrize(
    "value",
    [
        b'{"reason": "a\x00b"}', b'{"reason": "a\x1fb"}', b'{"reason": "\xff"}', b'{"reason": "\xed\xa0\x80"}', b'{"rows": 01}',
        b'{"rows": 1.}', b'{"rows": -}', b'{"rows": +1}', b'{"rows": NaN, "first": 1}', b'{"rows": -NaN}',
        b'{"rows": Infinity}', b'{"rows": -Infinity, "first": 1}', b'{"rows": 1, "rows": 2}', b'{"rows": 1} ',
        b'{"rows": 1},', b'{"rows": 1}\x0c',
        b'\xef\xbb\xbf{"rows": 1}', b'{"rows": 1,}', b"{'rows': 1}", b'{"reason": "\\x41"}', b'{"reason": "\\u12"}',
        b'{"reason": "\\ud83d\\ude00"}', b'{"reason": "\\ud83d"}', b'{"reason": "\\ude00\\ud83d"}', b'{"rows": 1, "x": 1e999}',
        b'{"rows": 9223372036854775807}', b'{"rows": 9223372036854775808}', b'{"rows": 1, "x": %s}' % (b"9" * 4_000),
        b'{"rows": 1, "x": %s}' % (b"9" * 5_000), b'{"rows": 1, "x": %s%s}' % (b"[" * 150, b"]" * 150), b"", b"[]", b"null",
        b'{"rows": 1, "x": %s%s}' % (b"[" * 300, b"]" * 300), b'{"rows": 1, "x": %s%s}' % (b"[" * 100_000, b"]" * 100_000),
        b'{"rows": 1e2}', b'{"rows": -0}', b'{"rows": 0.0}', b'{"rows": tru}', b'{"rows": true}', b'/**/{"rows": 1}',
    ],
)  # fmt: skip
def test_json_is_what_the_standard_library_says_it_is(value: bytes) -> None:
    entry = Entry(Kind.RECORD, Place("t", 0, 0, 0), (("ce_id", b"e"),), None, value)
    assert facts_of(entry) == naive.facts_of(entry)
