"""Header names that are no UTF-8: read without loss, beside records that are as they should be, compressed or not."""

import pytest
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.kafka.records import Batches

NAME = "headernamethatwillgo"
BAD = b"\xff\xfe" * (len(NAME) // 2)
Rows = list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
blobs = st.none() | st.binary(max_size=300)
rows_of = st.tuples(blobs, blobs, st.lists(st.tuples(st.text(max_size=20), blobs), max_size=3))


def batch(rows: Rows, codec: int = 0, base: int = 7) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=10**9,
    )  # fmt: skip
    for n, (key, value, headers) in enumerate(rows):
        builder.append(n, timestamp=1000 + n, key=key, value=value, headers=headers)
    raw = bytearray(builder.build())
    raw[0:8] = base.to_bytes(8, "big")
    return bytes(raw)


def read(data: bytes) -> Rows:
    """As aiokafka's own fetcher does."""
    part = TopicPartition("t", 0)
    records = PartitionRecords(part, Batches(data), [], 7, None, None, False, 0)
    found = list(records)
    assert [one.offset for one in found] == list(range(7, 7 + len(found)))
    assert [one.timestamp for one in found] == [1000 + n for n in range(len(found))]
    return [(one.key, one.value, list(one.headers)) for one in found]


@given(st.lists(rows_of, min_size=1, max_size=5))
def test_what_is_as_it_should_be_is_read_the_same(rows: Rows) -> None:
    assert read(batch(rows)) == rows


@given(
    st.lists(st.tuples(blobs, blobs, st.lists(st.tuples(st.text(max_size=20), blobs), max_size=3)), max_size=4),
    st.integers(0, 4),
)
def test_a_name_in_other_bytes_is_kept_and_nothing_else_suffers(rows: Rows, at: int) -> None:
    rows.insert(at, (b"k", b"v", [("ok", b"1"), (NAME, b"2"), (NAME, None)]))
    found = read(batch(rows).replace(NAME.encode(), BAD))
    bad = BAD.decode("utf-8", "surrogateescape")
    assert [bad if name == NAME else name for _, _, headers in rows for name, _ in headers] == [
        name for _, _, headers in found for name, _ in headers
    ]
    assert [(key, value) for key, value, _ in found] == [(key, value) for key, value, _ in rows]
    assert bad.encode("utf-8", "surrogateescape") == BAD


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=["gzip", "snappy", "lz4", "zstd"])
def test_every_compression_that_a_producer_may_choose_can_be_read(codec: int) -> None:
    rows: Rows = [(b"k", b"v" * 500, [("h", b"x")])] * 20
    assert read(batch(rows, codec)) == rows
