"""Where two histories part: no record is left out, and none that both have stands twice."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from services.audit.log.entry import Kind, Place, encode_gap, encode_head
from services.audit.log.head import HeadState
from services.audit.log.headers import Headers, outlined
from services.audit.log.parting import goes_on, parted
from services.audit.log.seal import encode_in_clear, sealing_name
from services.audit.log.tree import EMPTY_ROOT
from shared.errors import NotFoundError

TOPIC = "a.b"


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int
    headers: Headers = ()
    key: bytes | None = None
    value: bytes | None = b"v"


def entry(record: Record) -> bytes:
    name = sealing_name(TOPIC, record.timestamp, outlined(record.headers))
    head = encode_head(Kind.SEALED, Place(TOPIC, 0, record.offset, record.timestamp))
    return encode_in_clear(head, outlined(()), name) + b"ciphertext"


async def parting(log: dict[int, Record | None], base: int, broker: dict[int, Record], start: int, end: int) -> int:
    """`log`: offset -> record, None for a gap. `broker`: what it has in [start, end)."""

    async def probe(offset: int) -> Record | None:
        assert start <= offset < end
        return next((broker[at] for at in range(offset, end) if at in broker), None)

    def leaf(offset: int) -> bytes:
        record = log[offset]
        return encode_gap(TOPIC, 0, offset) if record is None else entry(record)

    head = HeadState(f"{TOPIC}/0", 1, base, len(log), EMPTY_ROOT)
    return await parted(probe, leaf, head, start, end)


@given(data=st.data())
async def test_it_begins_at_the_first_record_that_may_be_another(data: st.DataObject) -> None:
    base = data.draw(st.integers(0, 5), "base")
    size = data.draw(st.integers(1, 60), "size")
    same = data.draw(st.integers(base, base + size), "records before this offset are the same")
    end = data.draw(st.integers(same, base + size + 10), "end")
    start = data.draw(st.integers(0, end), "start")
    holes = data.draw(st.sets(st.integers(base, base + size)), "offsets without a record")
    log = {at: None if at in holes else Record(at, 1_000 + at) for at in range(base, base + size)}
    broker = {at: Record(at, 1_000 + at if at < same else 900_000 + at) for at in range(start, end) if at not in holes}
    found = await parting(log, base, broker, start, end)
    others = [at for at in broker if not (base <= at < same)]
    assert start <= found <= end
    assert all(at >= found for at in others), "a record is left out"
    if goes_on(HeadState(f"{TOPIC}/0", 1, base, size, EMPTY_ROOT), start, found):
        assert same == base + size and start >= base and (base + size - 1 in broker or holes), "it has another end"
    if not holes and start >= base:
        assert found == min(max(same, start), end) or found == start, "a record stands twice"
        assert same <= start or found == same


async def test_a_topic_made_anew_begins_at_its_first_record_and_one_cut_off_at_its_end() -> None:
    log: dict[int, Record | None] = {at: Record(at, at) for at in range(1000)}
    assert await parting(log, 0, {}, 0, 0) == 0
    assert await parting(log, 0, {at: Record(at, at + 5_000) for at in range(400)}, 0, 400) == 0
    assert await parting(log, 0, {at: Record(at, at) for at in range(400)}, 0, 400) == 400


def test_a_topic_with_another_id_is_gone_on_with_only_if_it_has_what_the_log_has_at_its_end() -> None:
    """Where nothing could be compared it is another topic, but for a log that has nothing and leaves nothing out."""

    def told(base: int, size: int, start: int, parts: int) -> bool:
        return goes_on(HeadState(f"{TOPIC}/0", 1, base, size, EMPTY_ROOT), start, parts)

    assert told(0, 10, 0, 10) and told(0, 10, 7, 10)
    assert not told(0, 10, 0, 9) and not told(0, 10, 0, 0)
    assert not told(0, 10, 10, 10), "all that the log has is dropped there"
    assert told(5, 0, 5, 5) and not told(5, 0, 0, 0) and not told(5, 0, 6, 6)


async def test_what_the_log_never_had_is_not_passed_over() -> None:
    """The log began at 5, since the broker had no more; its mirror has."""
    records = {at: Record(at, at) for at in range(20)}
    log: dict[int, Record | None] = {at: records[at] for at in range(5, 20)}
    assert await parting(log, 5, records, 0, 20) == 0
    assert await parting(log, 5, records, 5, 20) == 20


async def test_a_damaged_old_generation_does_not_keep_the_next_from_beginning() -> None:
    async def probe(offset: int) -> Record:
        return Record(offset, offset)

    def gone(_: int) -> bytes:
        raise NotFoundError("no such file")

    assert await parted(probe, gone, HeadState(f"{TOPIC}/0", 1, 0, 10, EMPTY_ROOT), 2, 8) == 2
