"""Canonical bytes of an entry (docs/log-format.md section 2): the same Kafka record always gives the same leaf.

`encode` and `parse` are strict inverses: one accepted encoding per entry, nothing after its end.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from services.audit.log.headers import NARROW_MAX, NULL, Headers, encode_headers, encode_payload, outlined
from shared.errors import MalformedError

FORMAT = 1
ENTRY_BYTES_MAX = 65_535  # a bundle gives each entry a 16-bit length (tlog-tiles)
_HEAD = struct.Struct(">BBH")
_PLACE = struct.Struct(">IQq")
_two = struct.Struct(">H").pack
_partition = struct.Struct(">I").pack
_moment = struct.Struct(">Qq").pack


class Kind(IntEnum):
    """What an entry holds of its record."""

    RECORD = 1  # headers, key and value as they came
    SEALED = 2  # the CloudEvents ids in clear; key, value and other headers encrypted
    LARGE = 3  # the SHA-256 and length of a RECORD or SEALED entry that is stored beside the log
    GAP = 4  # the broker has no record at this offset
    FORGOTTEN = 5  # the CloudEvents ids only: the record came after its subject was erased


class Place(NamedTuple):
    """Where the record stood. `timestamp`: milliseconds since 1970, as the broker says; -1 in a gap."""

    topic: str
    partition: int
    offset: int
    timestamp: int


@dataclass(frozen=True)
class Entry:
    """`headers`: all of them (RECORD) or those in clear (SEALED, FORGOTTEN). `sealing`: name of the sealing key.
    `body`: ciphertext (SEALED), or SHA-256 and length (LARGE)."""

    kind: Kind
    place: Place
    headers: tuple[tuple[str, bytes | None], ...] = ()
    key: bytes | None = None
    value: bytes | None = None
    sealing: str = ""
    body: bytes = b""

    def header(self, name: str) -> str:
        """The text of a header, empty where there is none or it is not UTF-8."""
        for have, value in self.headers:
            if have == name and value is not None:
                return value.decode("utf-8", "replace")
        return ""


@lru_cache(maxsize=4096)  # partitions of topics: at most 249 characters each
def encode_start(kind: Kind, topic: str, partition: int) -> bytes:
    """What every entry of a kind and partition begins with."""
    raw = topic.encode()
    return _HEAD.pack(FORMAT, kind, len(raw)) + raw + _partition(partition)


def head_after(start: bytes, offset: int, timestamp: int) -> bytes:
    """`encode_head`, after what `encode_start` gave: the hot path."""
    return start + _moment(offset, timestamp)


def encode_head(kind: Kind, place: Place) -> bytes:
    """The part that every entry starts with."""
    return head_after(encode_start(kind, place.topic, place.partition), place.offset, place.timestamp)


def encode_record(place: Place, headers: Headers, key: bytes | None, value: bytes | None) -> bytes:
    """`encode` of a RECORD, without making one."""
    return encode_head(Kind.RECORD, place) + encode_payload(outlined(headers), key, value)


def encode_clear(head: bytes, headers: Headers, sealing: str) -> bytes:
    """A FORGOTTEN entry; and what stands before the ciphertext of a SEALED one, which is its associated data."""
    raw = sealing.encode("utf-8", "surrogateescape")
    return b"".join((head, encode_headers(headers), _two(len(raw)), raw))


def encode(entry: Entry) -> bytes:
    """The canonical bytes; may be longer than ENTRY_BYTES_MAX, then it is stored as LARGE."""
    if entry.kind is Kind.RECORD:
        return encode_record(entry.place, entry.headers, entry.key, entry.value)
    if entry.kind in (Kind.SEALED, Kind.FORGOTTEN):
        return encode_clear(encode_head(entry.kind, entry.place), entry.headers, entry.sealing) + entry.body
    return encode_head(entry.kind, entry.place) + entry.body


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self._data):
            raise MalformedError("the entry ends too early")
        self.at += count
        return self._data[self.at - count : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def text(self, width: int = 2) -> str:
        return self.take(self.number(width)).decode("utf-8", "surrogateescape")

    def blob(self) -> bytes | None:
        length = self.take(4)
        return None if length == NULL else self.take(int.from_bytes(length, "big"))

    def headers(self) -> tuple[tuple[str, bytes | None], ...]:
        count = self.number(2)
        if count <= NARROW_MAX:
            return tuple((self.text(), self.blob()) for _ in range(count))
        count = self.number(4)
        if count > len(self._data):
            raise MalformedError("the entry ends too early")
        found = tuple((self.text(4), self.blob()) for _ in range(count))
        if count <= NARROW_MAX and all(len(name.encode("utf-8", "surrogateescape")) <= 0xFFFF for name, _ in found):
            raise MalformedError("wide headers that the narrow form can hold")
        return found

    def rest(self) -> bytes:
        return self.take(len(self._data) - self.at)

    def end(self) -> None:
        if self.at != len(self._data):
            raise MalformedError("bytes after the entry's end")


def parse(data: bytes) -> Entry:
    """The entry of canonical bytes. MalformedError for anything else."""
    reader = _Reader(data)
    version, kind_number, topic_length = _HEAD.unpack(reader.take(_HEAD.size))
    if version != FORMAT or kind_number not in Kind.__members__.values():
        raise MalformedError("not an entry of a known format and kind")
    kind = Kind(kind_number)
    try:
        topic = reader.take(topic_length).decode()
    except UnicodeDecodeError:
        raise MalformedError("the topic is not UTF-8") from None
    place = Place(topic, *_PLACE.unpack(reader.take(_PLACE.size)))
    if kind is Kind.RECORD:
        return Entry(kind, place, *parse_payload(data[reader.at :]))
    elif kind in (Kind.SEALED, Kind.FORGOTTEN):
        entry = Entry(kind, place, reader.headers(), sealing=reader.text(), body=reader.rest())
    else:
        entry = Entry(kind, place, body=reader.take(40 if kind is Kind.LARGE else 0))
    reader.end()
    return entry


def parse_payload(data: bytes) -> tuple[tuple[tuple[str, bytes | None], ...], bytes | None, bytes | None]:
    """(headers, key, value) of `encode_payload`."""
    quick = _quick_payload(data)
    if quick is not None:
        return quick
    reader = _Reader(data)
    found = reader.headers(), reader.blob(), reader.blob()
    reader.end()
    return found


_names: dict[bytes, str] = {name.encode(): name for name in (
    "ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_actor", "ce_subject", "ce_session", "content-type",
    "traceparent",
)}  # fmt: skip


def _quick_payload(data: bytes) -> tuple[tuple[tuple[str, bytes | None], ...], bytes | None, bytes | None] | None:
    """`parse_payload` of what is well formed and narrow, three times as fast; None: leave it to the reader, which says why.

    A slice beyond the end is short, and then the position does not end where the data does."""
    number, at = int.from_bytes, 2
    count = number(data[:2], "big")
    if count > NARROW_MAX:
        return None
    found: list[tuple[str, bytes | None]] = []
    rest: list[bytes | None] = []
    for i in range(count + 2):
        name = ""
        if i < count:
            end = at + 2 + number(data[at : at + 2], "big")
            raw = data[at + 2 : end]
            name = _names.get(raw) or raw.decode("utf-8", "surrogateescape")
            at = end
        length = data[at : at + 4]
        at += 4
        value = None
        if length != NULL:
            value = data[at : at + number(length, "big")]
            at += number(length, "big")
        if i < count:
            found.append((name, value))
        else:
            rest.append(value)
    return (tuple(found), rest[0], rest[1]) if at == len(data) else None


def large(place: Place, digest: bytes, length: int) -> Entry:
    """The entry that stands for one too long for a bundle."""
    return Entry(Kind.LARGE, place, body=digest + length.to_bytes(8, "big"))


def gap(place: Place) -> Entry:
    """The entry of an offset at which the broker has nothing."""
    return Entry(Kind.GAP, Place(place.topic, place.partition, place.offset, -1))


def encode_gap(topic: str, partition: int, offset: int) -> bytes:
    """`encode` of a GAP, for runs of millions."""
    return head_after(encode_start(Kind.GAP, topic, partition), offset, -1)
