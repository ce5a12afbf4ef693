"""Records become leaves: one per offset, whatever the holes, in bounded steps."""

from itertools import islice
from typing import cast

from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from services.audit.log.entry import Kind, parse
from services.audit.log.head import HeadState
from services.audit.log.sequence import Part, is_of, sequenced
from services.audit.log.shard import Shard
from services.audit.log.stream import Stream
from services.audit.log.tree import EMPTY_ROOT
from shared.ids import new_id
from shared.keys.cipher import new_data_key
from shared.keys.deterministic import PlaceCipher

WHOLE = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_actor", "content-type")
OWN = tuple((name, b"x") for name in WHOLE)
Record = ConsumerRecord[bytes, bytes]


def record(offset: int, value: bytes | None = b"v", timestamp: int = 7, headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    return ConsumerRecord("t", 0, offset, timestamp, 0, None, value, None, 0, 0, headers)


class _Shard:
    """An empty shard of `t/0`."""

    head = HeadState("t/0", 1, 0, 0, EMPTY_ROOT)
    next_offset = published_offset = 0


def stream() -> Stream:
    return Stream(cast(Shard, _Shard()), 0)


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(0, 20), st.integers(1, 64))
def test_every_offset_is_one_leaf_and_no_part_is_too_large(offsets: set[int], beyond: int, leaves_max: int) -> None:
    records, end = [record(n) for n in sorted(offsets)], max(offsets) + 1 + beyond
    cipher = PlaceCipher(new_data_key())
    found, at = [], 0
    for part in stream().parts(records, end, leaves_max):
        assert part.first == at
        assert 0 < part.end - part.first <= leaves_max
        entries, late = sequenced(part, dict.fromkeys(part.names, cipher))
        assert late == []
        found += [parse(raw) for raw in entries]
        at = part.end
    assert [e.place.offset for e in found] == list(range(end))
    assert {e.place.offset for e in found if e.kind is Kind.SEALED} == offsets
    assert {e.kind for e in found} <= {Kind.SEALED, Kind.GAP}


def test_a_hole_of_millions_takes_no_more_memory_than_one_step() -> None:
    parts = stream().parts([record(0), record(10**12)], 10**12 + 1, 50_000)
    first, second = islice(parts, 2)
    assert (first.first, first.end, len(first.records)) == (0, 50_000, 1)
    assert (second.first, second.end, len(second.records)) == (50_000, 100_000, 0)


def test_what_was_received_before_is_not_taken_twice() -> None:
    one = stream()
    list(one.parts([record(0), record(1)], 2, 100))
    (part,) = one.parts([record(0), record(1), record(2)], 3, 100)
    assert [r.offset for r in part.records] == [2]


def test_a_late_record_is_forgotten_and_named() -> None:
    subject = new_id("sub")
    part = Part("t", 0, 5, 6, [record(5, b"Luis", headers=(("ce_subject", subject.encode()), ("ce_id", b"1")))])
    (raw,), late = sequenced(part, {subject: None})
    assert late == [5]
    assert b"Luis" not in raw
    assert parse(raw).header("ce_id") == "1"


def test_a_record_is_recognised_without_its_key() -> None:
    for headers in ((), (("ce_id", b"1"),), OWN):
        there = record(3, headers=headers)
        part = Part("t", 0, 3, 4, [there])
        (raw,), _ = sequenced(part, dict.fromkeys(part.names, PlaceCipher(new_data_key())))
        assert is_of(raw, "t", 0, there)
        assert not is_of(raw, "t", 0, record(3, timestamp=8, headers=headers))
    own = Part("kept.audit", 0, 3, 4, [record(3, headers=OWN)])
    (raw,), _ = sequenced(own, {})
    assert is_of(raw, "kept.audit", 0, record(3, headers=OWN))
    assert not is_of(raw, "kept.audit", 0, record(3, b"other", headers=OWN))


def test_what_comes_after_an_erasure_is_late_and_the_erasures_own_notice_is_not() -> None:
    """Another team's holder tells that it has erased somebody on its own topic, after we have done so too."""
    subject = new_id("sub")

    def about(offset: int, type_: bytes) -> Record:
        return record(offset, headers=(("ce_id", b"e"), ("ce_type", type_), ("ce_subject", subject.encode())))

    types = (
        b"kept.billing.subject.shredded.v1",
        b"billing.note.made.v1",
        b"kept.billing.subject.shredded.v1x",
        b"com.kept.billing.subject.shredded.v1",
        b"kept.billing.subject.shredded.v12",
    )
    (part,) = stream().parts([about(at, type_) for at, type_ in enumerate(types)], len(types), 100)
    entries, late = sequenced(part, {subject: None})
    assert late == [1, 2, 3]
    assert {parse(raw).kind for raw in entries} == {Kind.FORGOTTEN}, "of none is anything kept"
