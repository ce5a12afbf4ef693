"""Canonical bytes of an entry (docs/log-format.md section 2): the same Kafka record always gives the same leaf.

`encode` and `parse` are strict inverses: one accepted encoding per entry, nothing after its end.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from shared.errors import MalformedError

FORMAT = 1
ENTRY_BYTES_MAX = 65_535  # a bundle gives each entry a 16-bit length (tlog-tiles)
NULL = 0xFFFFFFFF
_HEAD = struct.Struct(">BBH")
_PLACE = struct.Struct(">IQq")


class Kind(IntEnum):
    """What an entry holds of its record."""

    RECORD = 1  # headers, key and value as they came
    SEALED = 2  # the CloudEvents ids in clear; key, value and other headers encrypted
    LARGE = 3  # the SHA-256 and length of a RECORD or SEALED entry that is stored beside the log
    GAP = 4  # the broker has no record at this offset
    FORGOTTEN = 5  # the CloudEvents ids only: the record came after its subject was erased


@dataclass(frozen=True)
class Place:
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


def _text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogateescape")
    if len(raw) > 0xFFFF:
        raise MalformedError("a name is over 65,535 bytes")
    return len(raw).to_bytes(2, "big") + raw


def _blob(value: bytes | None) -> bytes:
    return NULL.to_bytes(4, "big") if value is None else len(value).to_bytes(4, "big") + value


def encode_payload(headers: Sequence[tuple[str, bytes | None]], key: bytes | None, value: bytes | None) -> bytes:
    """Headers, key and value in the encoding that RECORD uses and SEALED encrypts."""
    parts = [len(headers).to_bytes(2, "big")]
    parts += [_text(name) + _blob(content) for name, content in headers]
    return b"".join([*parts, _blob(key), _blob(value)])


def encode_head(kind: Kind, place: Place) -> bytes:
    """The part that every entry starts with."""
    topic = place.topic.encode()
    return _HEAD.pack(FORMAT, kind, len(topic)) + topic + _PLACE.pack(place.partition, place.offset, place.timestamp)


def encode_clear(entry: Entry) -> bytes:
    """What stands before the ciphertext of a SEALED entry, and is its associated data."""
    headers = b"".join(_text(n) + _blob(v) for n, v in entry.headers)
    return encode_head(entry.kind, entry.place) + len(entry.headers).to_bytes(2, "big") + headers + _text(entry.sealing)


def encode(entry: Entry) -> bytes:
    """The canonical bytes; may be longer than ENTRY_BYTES_MAX, then it is stored as LARGE."""
    if entry.kind is Kind.RECORD:
        return encode_head(entry.kind, entry.place) + encode_payload(entry.headers, entry.key, entry.value)
    if entry.kind in (Kind.SEALED, Kind.FORGOTTEN):
        return encode_clear(entry) + entry.body
    return encode_head(entry.kind, entry.place) + entry.body


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise MalformedError("the entry ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def text(self) -> str:
        return self.take(self.number(2)).decode("utf-8", "surrogateescape")

    def blob(self) -> bytes | None:
        length = self.number(4)
        return None if length == NULL else self.take(length)

    def headers(self) -> tuple[tuple[str, bytes | None], ...]:
        return tuple((self.text(), self.blob()) for _ in range(self.number(2)))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        if self._at != len(self._data):
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
        entry = Entry(kind, place, reader.headers(), reader.blob(), reader.blob())
    elif kind in (Kind.SEALED, Kind.FORGOTTEN):
        entry = Entry(kind, place, reader.headers(), sealing=reader.text(), body=reader.rest())
    else:
        entry = Entry(kind, place, body=reader.take(40 if kind is Kind.LARGE else 0))
    reader.end()
    return entry


def parse_payload(data: bytes) -> tuple[tuple[tuple[str, bytes | None], ...], bytes | None, bytes | None]:
    """(headers, key, value) of `encode_payload`."""
    reader = _Reader(data)
    found = reader.headers(), reader.blob(), reader.blob()
    reader.end()
    return found


def large(place: Place, digest: bytes, length: int) -> Entry:
    """The entry that stands for one too long for a bundle."""
    return Entry(Kind.LARGE, place, body=digest + length.to_bytes(8, "big"))


def gap(place: Place) -> Entry:
    """The entry of an offset at which the broker has nothing."""
    return Entry(Kind.GAP, Place(place.topic, place.partition, place.offset, -1))
