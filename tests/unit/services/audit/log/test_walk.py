"""The fast path accepts exactly what the exact path finds without a fault, whatever the bytes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.log import bundles
from services.audit.log.entry import Entry, Kind, Place, encode, parse
from services.audit.log.tree import leaf_hash
from services.audit.log.walk import LAYOUTS_MAX, Shape, leaves
from shared.errors import MalformedError

TOPIC, PARTITION, FIRST = "a.b", 3, 1000
BLOB = st.none() | st.binary(max_size=6)
HEADERS = st.lists(st.tuples(st.text(max_size=3), BLOB), max_size=3).map(tuple)


def exact(raw: bytes, width: int) -> list[bytes] | None:
    """The same answer by the exact parsers, entry by entry."""
    try:
        entries = bundles.parse(raw)
        found = [parse(one) for one in entries]
    except MalformedError:
        return None
    places = [(TOPIC, PARTITION, FIRST + i) for i in range(width)]
    if [(e.place.topic, e.place.partition, e.place.offset) for e in found] != places or Kind.LARGE in {e.kind for e in found}:
        return None
    return [leaf_hash(one) for one in entries]


@st.composite
def made(draw: st.DrawFn) -> tuple[bytes, int]:
    """A bundle, mostly of good entries that share a layout, and how many entries it should have."""
    common = draw(HEADERS)
    entries = []
    for i in range(draw(st.integers(1, 6))):
        place = Place(TOPIC, PARTITION, FIRST + i + draw(st.sampled_from([0] * 12 + [1])), draw(st.integers(-1, 2**63 - 1)))
        headers = draw(st.sampled_from([common, common, draw(HEADERS)]))
        kind = draw(st.sampled_from([Kind.RECORD] * 4 + [*Kind]))
        entry = encode(
            Entry(kind, place, headers, draw(BLOB), draw(BLOB), "k" * draw(st.integers(0, 2)), draw(st.binary(max_size=3)))
            if kind in (Kind.RECORD, Kind.SEALED, Kind.FORGOTTEN)
            else Entry(kind, place, body=bytes(40) if kind is Kind.LARGE else b"")
        )
        entries.append(
            draw(st.sampled_from([entry] * 8 + [entry + b"\0", entry[:-1], entry[: draw(st.integers(0, len(entry)))]]))
        )
    return bundles.encode(entries), len(entries)


@settings(max_examples=600)
@given(made())
def test_well_formed_bundles(bundle: tuple[bytes, int]) -> None:
    assert leaves(*bundle, Shape.of(TOPIC, PARTITION), FIRST) == exact(*bundle)


@settings(max_examples=400)
@given(made(), st.data())
def test_damaged_bundles(bundle: tuple[bytes, int], data: st.DataObject) -> None:
    """Bytes changed, put in or cut out, and wrong counts: lengths that lie lead beyond the entry, the bundle, or to nowhere."""
    raw, width = bytearray(bundle[0]), bundle[1]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        cut = data.draw(st.integers(0, 2))
        raw[at : at + cut] = data.draw(st.binary(max_size=2) | st.sampled_from([b"\xff\xff\xff\xff", b"\0\0", b"\0"]))
    width += data.draw(st.sampled_from([0, 0, 0, 1, -1]))
    shape = Shape.of(TOPIC, PARTITION)
    leaves(*bundle, shape, FIRST)  # layouts learned from the good bundle must not let a bad one through
    assert leaves(bytes(raw), width, shape, FIRST) == exact(bytes(raw), width)


def test_layouts_are_few_and_a_new_one_is_walked() -> None:
    shape = Shape.of(TOPIC, PARTITION)
    for n in range(3 * LAYOUTS_MAX):
        raw = bundles.encode([encode(Entry(Kind.RECORD, Place(TOPIC, PARTITION, FIRST, 0), (("h" * n, b"v"),), b"k", b"v"))])
        assert leaves(raw, 1, shape, FIRST) == exact(raw, 1) is not None
    assert len(shape.layouts) == LAYOUTS_MAX


def test_an_entry_cut_anywhere_before_a_good_one() -> None:
    """Its lengths lead on into the next entry, which must not make up for what is missing."""
    after = encode(Entry(Kind.GAP, Place(TOPIC, PARTITION, FIRST + 1, -1)))
    for kind in (Kind.RECORD, Kind.SEALED, Kind.FORGOTTEN, Kind.GAP):
        entry = Entry(kind, Place(TOPIC, PARTITION, FIRST, 5), (("h", b"v"),), b"key", b"value", "key", b"")
        whole = encode(entry)
        for end in range(len(whole) + 1):
            raw = bundles.encode([whole[:end], after])
            assert leaves(raw, 2, Shape.of(TOPIC, PARTITION), FIRST) == exact(raw, 2), (kind, end)
