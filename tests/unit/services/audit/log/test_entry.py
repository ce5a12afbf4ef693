"""An entry's bytes: one encoding per entry; sealing is deterministic, hides the record, and dies with its key."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.log import bundles, seal
from services.audit.log import headers as headers_module
from services.audit.log.entry import ENTRY_BYTES_MAX, Entry, Kind, Place, encode, encode_head, gap, large, parse
from services.audit.log.headers import Headers, outlined
from shared.errors import InvariantError, KeptError, MalformedError, TamperError
from shared.keys.cipher import DataKey
from shared.keys.deterministic import PlaceCipher

PLACE = Place("billing.events", 2, 77, 1_795_500_000_000)
SUBJECT = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f"
KEY = DataKey(1, bytes(range(32)))
CIPHER = PlaceCipher(KEY)
names = st.text(st.characters(codec="utf-8"), max_size=12)
blobs = st.none() | st.binary(max_size=40)
places = st.builds(Place, names, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1))
headers = st.lists(st.tuples(names, blobs), max_size=4).map(tuple)
records = st.builds(Entry, st.just(Kind.RECORD), places, headers, blobs, blobs)
sealed = st.builds(
    Entry, st.sampled_from([Kind.SEALED, Kind.FORGOTTEN]), places, headers, sealing=names, body=st.binary(max_size=40)
)


def sealing_name(headers: Headers) -> str:
    return seal.sealing_name(PLACE.topic, PLACE.timestamp, outlined(headers))


def sealed_bytes(headers: Headers, key: bytes | None, value: bytes | None, name: str, place: Place = PLACE) -> bytes:
    return seal.encode_sealed(encode_head(Kind.SEALED, place), outlined(headers), key, value, name, CIPHER)


@given(records | sealed)
def test_what_is_encoded_parses_to_itself(entry: Entry) -> None:
    assert parse(encode(entry)) == entry


@given(
    st.binary(max_size=80)
    | records.map(encode).flatmap(lambda b: st.integers(0, len(b)).map(lambda i: b[:i] + b"\x00" + b[i:]))
)
def test_whatever_parses_has_only_this_encoding(raw: bytes) -> None:
    try:
        entry = parse(raw)
    except MalformedError:
        return
    assert encode(entry) == raw


def test_the_example_of_the_format_document() -> None:
    """docs/log-format.md section 2.4."""
    entry = Entry(Kind.RECORD, Place("a.b", 0, 5, 1000), (("h", b"x"),), None, b"{}")
    assert encode(entry).hex() == (
        "01010003612e6200000000000000000000000500000000000003e800010001680000000178ffffffff000000027b7d"
    )


WIDE = {
    "a long name": (("n" * 65_536, b"v"), ("other", None)),
    "many headers": (("h", b""),) * 65_535,
    "a name in no encoding": (("\udcff\udcfe", b"v"),),
}


@pytest.mark.parametrize("case", WIDE)
def test_no_header_is_too_long_and_no_record_has_too_many(case: str) -> None:
    entry = Entry(Kind.RECORD, PLACE, WIDE[case], b"k", b"v")
    assert parse(encode(entry)) == entry
    name = sealing_name(entry.headers)
    assert seal.opened(parse(sealed_bytes(entry.headers, b"k", b"v", name)), KEY) == entry


def test_a_name_is_never_a_format() -> None:
    entry = Entry(Kind.RECORD, PLACE, (("100 %", b"%b"), ("%b", None), ("%s%%", b"")), b"%", b"%d")
    assert parse(encode(entry)) == entry


def test_a_sealing_name_in_no_encoding_has_one_too() -> None:
    """Nobody writes one; a damaged file may have it, and whoever reads that must not fall over it."""
    raw = encode(Entry(Kind.SEALED, PLACE, (), sealing="k", body=b"c")).replace(b"\0\1k", b"\0\1\xff")
    assert encode(parse(raw)) == raw


def test_names_that_never_come_again_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    outlines = headers_module._Outlines()
    monkeypatch.setattr(headers_module, "_OUTLINES", outlines)
    for n in range(2 * headers_module.OUTLINES_MAX):
        assert parse(encode(Entry(Kind.RECORD, PLACE, ((f"name-{n}", b"v"),)))).headers == ((f"name-{n}", b"v"),)
    for long in ((("n" * headers_module.OUTLINE_BYTES_MAX, b"v"),), (("", b""),) * headers_module.OUTLINE_BYTES_MAX):
        assert parse(encode(Entry(Kind.RECORD, PLACE, long))).headers == long
    assert len(outlines) <= headers_module.OUTLINES_MAX
    assert all(len(one.headers) <= headers_module.OUTLINE_BYTES_MAX for one in outlines.values())


def test_wide_headers_only_where_they_are_needed() -> None:
    """docs/log-format.md section 2.2: one encoding per entry."""
    narrow = encode(Entry(Kind.RECORD, PLACE, (("h", b"x"),), None, None))
    wide = narrow.replace(b"\0\1\0\1h", b"\xff\xff\0\0\0\1\0\0\0\1h")
    assert wide != narrow
    with pytest.raises(MalformedError):
        parse(wide)
    assert parse(encode(Entry(Kind.RECORD, PLACE, (("n" * 65_535, None),), None, None))).headers[0][0] == "n" * 65_535


@pytest.mark.parametrize("count", [headers_module.NARROW_MAX, headers_module.NARROW_MAX + 1])
def test_as_many_headers_as_the_narrow_form_holds_are_narrow(count: int) -> None:
    """One more is wide. The parser refuses a wide form that need not be."""
    raw = encode(Entry(Kind.RECORD, PLACE, (("", b""),) * count))
    assert (headers_module.WIDE in raw[:60]) == (count > headers_module.NARROW_MAX)
    assert len(parse(raw).headers) == count


def test_an_entry_too_long_for_its_length_is_in_no_bundle() -> None:
    assert bundles.parse(bundles.encode([b"", b"x" * ENTRY_BYTES_MAX])) == [b"", b"x" * ENTRY_BYTES_MAX]
    with pytest.raises(InvariantError):
        bundles.encode([b"x" * (ENTRY_BYTES_MAX + 1), b""])


def test_gap_and_large() -> None:
    assert parse(encode(gap(PLACE))).place == Place("billing.events", 2, 77, -1)
    digest = hashlib.sha256(b"x").digest()
    assert parse(encode(large(PLACE, digest, 70_000))).body == digest + (70_000).to_bytes(8, "big")


SLOPPY = ((("ce_id", b"1"), ("ce_type", b"t"), ("email", b"luis@example.org")), b"luis", b'{"name": "Luis"}')


def test_two_owners_seal_to_the_same_bytes_and_nothing_is_readable() -> None:
    name = sealing_name(SLOPPY[0])
    one, two = (sealed_bytes(*SLOPPY, name) for _ in range(2))
    assert one == two
    assert name == "billing.events/2026-11"
    assert b"uis" not in one
    assert seal.opened(parse(one), KEY) == Entry(Kind.RECORD, PLACE, *SLOPPY)


def test_a_sealed_entry_opens_only_where_it_was_and_only_with_its_key() -> None:
    entry = parse(sealed_bytes(*SLOPPY, "n"))
    elsewhere = Entry(Kind.SEALED, Place("billing.events", 2, 78, PLACE.timestamp), entry.headers, sealing="n", body=entry.body)
    for bad, key in ((elsewhere, KEY), (entry, DataKey(1, bytes(32)))):
        with pytest.raises(TamperError):
            seal.opened(bad, key)


def test_a_subjects_record_is_sealed_under_the_subjects_key() -> None:
    headers_ = (("ce_subject", SUBJECT.encode()),)
    assert sealing_name(headers_) == SUBJECT
    both = (*headers_, *SLOPPY[0])
    late = seal.encode_in_clear(encode_head(Kind.FORGOTTEN, PLACE), outlined(both), SUBJECT)
    assert b"uis" not in late
    assert parse(late).kind is Kind.FORGOTTEN


@pytest.mark.parametrize(("content", "stays"), [(b"", True), (b"x" * 200, True), (b"x" * 201, False), (None, False)])
def test_only_a_short_content_stays_in_clear(content: bytes | None, stays: bool) -> None:
    """docs/log-format.md section 3: a publisher may write anything there."""
    headers_ = (("ce_source", content), ("email", b"luis@example.org"))
    entry = parse(sealed_bytes(headers_, None, None, sealing_name(headers_)))
    assert entry.headers == (headers_[:1] if stays else ())
    assert seal.opened(entry, KEY).headers == headers_


@pytest.mark.parametrize("content", [b"luis.goncalves.of.sao.paulo@mail.org", b"sub_" + b"g" * 32, b"\xff" * 36, b"", None])
def test_a_subject_that_is_none_of_ours_names_no_key(content: bytes | None) -> None:
    """It would stand in clear: as a header, and as the key's name."""
    headers_ = (("ce_subject", content),)
    assert sealing_name(headers_) == "billing.events/2026-11"
    assert parse(sealed_bytes(headers_, None, None, sealing_name(headers_))).headers == ()


WHOLE = tuple((n, b"v") for n in ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_actor", "content-type"))


@pytest.mark.parametrize(
    ("topic", "headers_", "own"),
    [
        ("kept.customers", WHOLE, True),
        ("kept.customers", (*WHOLE, ("ce_subject", b"s"), ("traceparent", b"t")), True),
        ("kept.customers", (*WHOLE, ("ce_session", b"s")), True),  # rule 3
        ("kept.customers", WHOLE[1:], False),
        ("kept.customers", (*WHOLE, ("x-name", b"Luis")), False),
        ("kept.customers", (*WHOLE, WHOLE[0]), False),
        ("kept.customers.dlq", WHOLE, False),
        ("billing.events", WHOLE, False),
        # Rule 2: a topic of its own for each holder's answers. The one of before keeps its rule for ever.
        ("kept.dsar.answers", WHOLE, True),
        ("kept.dsar.answers.audit", WHOLE, True),
        ("kept.dsar.answers.billing", WHOLE, False),
        ("kept.dsar.answers.customers.more", WHOLE, False),
    ],
)
def test_only_our_topics_whole_envelopes_are_stored_as_they_came(topic: str, headers_: Headers, own: bool) -> None:
    assert seal.is_own(topic, outlined(headers_)) is own


@given(headers, blobs, blobs, st.integers(-(2**63), 2**63 - 1))
def test_no_record_can_stop_the_sealing(head: Headers, key: bytes | None, value: bytes | None, when: int) -> None:
    place = Place("billing.events", 0, 0, when)
    try:
        name = seal.sealing_name(place.topic, when, outlined(head))
    except KeptError:
        pytest.fail("a record was refused")
    sealed_ = parse(sealed_bytes(head, key, value, name, place))
    assert seal.opened(sealed_, KEY) == Entry(Kind.RECORD, place, head, key, value)
