"""The facts at a glance are those of the parsed entry, whatever the bytes and whatever was seen before."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.index.facts import HEADERS, Facts, facts_of
from services.audit.index.glance import LAYOUTS_MAX, Glance
from services.audit.log.entry import ENTRY_BYTES_MAX, Entry, Kind, Place, encode, parse
from services.audit.log.headers import NARROW_MAX
from shared.errors import MalformedError

SUBJECT = b"sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f"
NAMES = st.sampled_from([*sorted(HEADERS), "ce_source", "n", "\udcff"])
CONTENTS = st.none() | st.sampled_from([SUBJECT, b"kept.a.b.viewed.v1", b"kept.a.b.opened.v1", b"2026-01-01T00:00:00Z"])
HEADERS_OF = st.lists(st.tuples(NAMES, CONTENTS | st.binary(max_size=4)), max_size=5).map(tuple)
BLOB = st.none() | st.binary(max_size=6) | st.sampled_from([b'{"purpose":"x"}', b'{"subjects":["%b"]}' % SUBJECT])


def by_parsing(raw: bytes) -> Facts | None:
    try:
        return facts_of(parse(raw))
    except MalformedError:
        return None


def at_a_glance(glance: Glance, raw: bytes) -> Facts | None:
    try:
        return glance.facts(raw)
    except MalformedError:
        return None


@st.composite
def made(draw: st.DrawFn) -> list[bytes]:
    """A shard's entries, most of them with the same headers, some damaged."""
    common, found = draw(HEADERS_OF), []
    for n in range(draw(st.integers(2, 8))):
        kind = draw(st.sampled_from([Kind.RECORD] * 4 + [Kind.SEALED] * 2 + [*Kind]))
        place = Place(draw(st.sampled_from(["a.b"] * 8 + ["a.c", "é"])), 3, n, draw(st.integers(-1, 2**63 - 1)))
        headers = draw(st.sampled_from([common] * 4 + [draw(HEADERS_OF)]))
        raw = encode(
            Entry(kind, place, headers, draw(BLOB), draw(BLOB), "k" * draw(st.integers(0, 2)), draw(st.binary(max_size=3)))
            if kind in (Kind.RECORD, Kind.SEALED, Kind.FORGOTTEN)
            else Entry(kind, place, body=bytes(40) if kind is Kind.LARGE else b"")
        )
        damaged = bytearray(raw)
        if draw(st.integers(0, 3)) == 0:
            at = draw(st.integers(0, len(raw) - 1))
            damaged[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2) | st.just(b"\xff\xff\xff\xff"))
        found += [raw, bytes(damaged)]
    return found


@settings(max_examples=400)
@given(made())
def test_it_is_what_parsing_says(entries: list[bytes]) -> None:
    glance = Glance()
    for raw in entries:
        assert at_a_glance(glance, raw) == by_parsing(raw)


def test_an_entry_cut_anywhere_and_lengthened() -> None:
    for kind in (Kind.RECORD, Kind.SEALED, Kind.FORGOTTEN):
        headers = (("ce_id", b"e"), ("ce_type", None), ("ce_subject", SUBJECT))
        whole = encode(Entry(kind, Place("a.b", 3, 1, 5), headers, b"key", b"{}", "sealing", b""))
        glance = Glance()
        glance.facts(whole)
        for raw in [*(whole[:end] for end in range(len(whole) + 1)), whole + b"\0", whole + whole]:
            assert at_a_glance(glance, raw) == by_parsing(raw), (kind, len(raw))


def test_a_sealing_name_in_no_encoding() -> None:
    raw = encode(Entry(Kind.SEALED, Place("a.b", 3, 1, 5), (), sealing="\udcff", body=b"c"))
    assert Glance().facts(raw) == by_parsing(raw)


def test_a_name_of_the_same_length_is_another_header() -> None:
    one = encode(Entry(Kind.RECORD, Place("a.b", 3, 1, 5), (("ce_type", b"2026-01-01T00:00:00Z"),), None, b"{}"))
    glance = Glance()
    assert glance.facts(one).type == "2026-01-01T00:00:00Z"
    assert glance.facts(one.replace(b"ce_type", b"ce_time")).type == "(record)"


def test_few_layouts_are_remembered_and_none_of_what_lies_beside_the_log() -> None:
    glance = Glance()
    for n in range(3 * LAYOUTS_MAX):
        raw = encode(Entry(Kind.RECORD, Place("a.b", 3, n, 5), (("h" * n, b"v"), ("ce_id", b"e"))))
        assert glance.facts(raw) == by_parsing(raw)
    (layouts,) = [layouts for _, layouts in glance._known.values()]
    assert len(layouts) == LAYOUTS_MAX
    wide = encode(Entry(Kind.RECORD, Place("a.b", 3, 0, 5), (("", b""),) * (NARROW_MAX + 1) + (("ce_id", b"e"),)))
    assert len(wide) > ENTRY_BYTES_MAX and glance.facts(wide) == by_parsing(wide)
    assert (len(layouts), layouts[0].names) == (LAYOUTS_MAX, ("ce_id",))
