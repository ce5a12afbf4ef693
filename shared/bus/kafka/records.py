"""Records that a client library of another language may write and aiokafka cannot read: header names that are not UTF-8.

Kafka takes any bytes for a header's name; aiokafka raises on such a record, at it and at every later try, so that one record
would stop the log and every handler of that topic for ever. Here its batch is read again by hand, and the bytes stand in the
name as surrogate escapes (PEP 383): nothing is lost, and nothing stops.
"""

from collections.abc import Iterator
from typing import Any, cast

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _Batch:
    """A batch as aiokafka has it, but for its records."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except UnicodeDecodeError:
            yield from _by_hand(self._raw)  # from its start: the fetcher passes over what it had already


def as_they_came(value: bytes | None) -> bytes | None:
    """As a consumer's `value_deserializer`: its records are those of the client's own parser, with offset, timestamp, key,
    value and headers, and no ConsumerRecord is made of each. For who takes tens of thousands a second."""
    return value


class Records(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The records of one answer of the broker; a ConsumerRecord of each, but for who takes them as they came."""

    def __iter__(self) -> Iterator[Any]:
        return cast(Iterator[Any], self._records_iterator)  # itself, not through a call for each record

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._value_deserializer is as_they_came else super()._consumer_record(tp, record)


class Batches:
    """In the place of aiokafka's MemoryRecords: the batches of one answer of the broker."""

    def __init__(self, data: bytes) -> None:
        self._inner = _MemoryRecordsPy(data)
        self.has_next = self._inner.has_next
        self.size_in_bytes = self._inner.size_in_bytes

    def next_batch(self) -> Any:
        raw = self._inner._next_slice
        batch = self._inner.next_batch()
        return batch if raw is None or batch is None or raw[_MemoryRecordsPy.MAGIC_OFFSET] < 2 else _Batch(batch, raw)


def _by_hand(raw: memoryview) -> Iterator[Any]:
    """The records of a batch of format 2 (Kafka protocol, "Record Batch"), header names in whatever bytes they are."""
    batch = _DefaultRecordBatchPy(raw)
    iter(batch)  # decompresses
    data, at = bytes(batch._buffer), batch._pos

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return int(value >> 1) ^ -int(value & 1)

    def take(length: int) -> bytes:
        nonlocal at
        at += length
        return data[at - length : at]

    def blob() -> bytes | None:
        length = number()
        return None if length < 0 else take(length)

    for _ in range(batch._num_records):
        number()  # its length
        take(1)  # its attributes: none are in use
        delta = number()
        timestamp = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + delta
        offset = batch.base_offset + number()
        key, value = blob(), blob()
        headers = [(take(number()).decode("utf-8", "surrogateescape"), blob()) for _ in range(number())]
        yield _DefaultRecordPy(offset, timestamp, batch.timestamp_type, key, value, headers)
