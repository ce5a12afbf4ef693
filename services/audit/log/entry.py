"""Canonical bytes of an entry (docs/log-format.md section 2): the same Kafka record always gives the same leaf.

`encode` and `parse` are strict inverses: one accepted encoding per entry, nothing after its end.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from shared.errors import MalformedError

FORMAT = 1
ENTRY_BYTES_MAX = 65_535  # a bundle gives each entry a 16-bit length (tlog-tiles)
NULL = b"\xff\xff\xff\xff"
WIDE = b"\xff\xff"  # stands for the count where headers need 4-byte counts and lengths
NARROW_MAX = 0xFFFE  # headers of a record in the narrow form; one name has at most one byte more
NAMES_CACHED_MAX = 1_000  # header names, of at most NAME_CACHED_CHARS_MAX: under a megabyte
NAME_CACHED_CHARS_MAX = 100
_HEAD = struct.Struct(">BBH")
_PLACE = struct.Struct(">IQq")
_two = struct.Struct(">H").pack
_four = struct.Struct(">I").pack
Headers = Sequence[tuple[str, bytes | None]]


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


class _TooLongError(Exception):
    """A name that the narrow form cannot hold."""


class _Names(dict[str, bytes]):
    """Header names as they are encoded, each with its length: a topic's records all have the same few."""

    def __missing__(self, name: str) -> bytes:
        raw = name.encode("utf-8", "surrogateescape")
        if len(raw) > 0xFFFF:
            raise _TooLongError
        encoded = _two(len(raw)) + raw
        if len(name) <= NAME_CACHED_CHARS_MAX and len(self) < NAMES_CACHED_MAX:
            self[name] = encoded
        return encoded


_NAMES = _Names()


def _blob(value: bytes | None) -> bytes:
    return NULL if value is None else _four(len(value)) + value


def _narrow(headers: Headers) -> list[bytes]:
    names = _NAMES
    parts = [_two(len(headers))]
    for name, content in headers:
        parts += (names[name], NULL) if content is None else (names[name], _four(len(content)), content)
    return parts


def _headers(headers: Headers) -> list[bytes]:
    """The encoded headers, in pieces. Wide where, and only where, the narrow form cannot hold them."""
    if len(headers) <= NARROW_MAX:
        try:
            return _narrow(headers)
        except _TooLongError:
            pass
    pairs = [(name.encode("utf-8", "surrogateescape"), content) for name, content in headers]
    return [WIDE, _four(len(pairs)), *(piece for name, content in pairs for piece in (_blob(name), _blob(content)))]


def encode_payload(headers: Headers, key: bytes | None, value: bytes | None) -> bytes:
    """Headers, key and value in the encoding that RECORD uses and SEALED encrypts."""
    return b"".join((*_headers(headers), _blob(key), _blob(value)))


@lru_cache(maxsize=4096)  # topics: at most 249 characters each
def _start(kind: int, topic: str) -> bytes:
    raw = topic.encode()
    return _HEAD.pack(FORMAT, kind, len(raw)) + raw


def encode_head(kind: Kind, place: Place) -> bytes:
    """The part that every entry starts with."""
    return _start(kind, place.topic) + _PLACE.pack(place.partition, place.offset, place.timestamp)


def encode_record(place: Place, headers: Headers, key: bytes | None, value: bytes | None) -> bytes:
    """`encode` of a RECORD, without making one: the hot path."""
    return b"".join((encode_head(Kind.RECORD, place), *_headers(headers), _blob(key), _blob(value)))


def encode_clear(head: bytes, headers: Headers, sealing: str) -> bytes:
    """A FORGOTTEN entry; and what stands before the ciphertext of a SEALED one, which is its associated data."""
    raw = sealing.encode()
    return b"".join((head, *_headers(headers), _two(len(raw)), raw))


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
    "ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_actor", "ce_subject", "content-type", "traceparent",
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
    return _start(Kind.GAP, topic) + _PLACE.pack(partition, offset, -1)
