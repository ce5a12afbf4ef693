"""Records become entries: each gets the leaf that its offset demands. Pure.

A record is never skipped and never stops the log: what is foreign is sealed as it is, an offset at which the broker has
nothing becomes a gap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from services.audit.log import seal
from services.audit.log.entry import Headers, Kind, Place, encode_gap, encode_record
from shared.keys.deterministic import PlaceCipher

NO_TIME = -1  # what Kafka calls a record without a timestamp; message format 0 has none
Ciphers = Mapping[str, PlaceCipher | None]
Sealing = str | None  # the name of the key that seals a record; None where it is stored as it came


class Received(Protocol):
    """A record of one partition, as a Kafka client presents it."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(frozen=True)
class Part:
    """The leaves at offsets [first, end) of one partition, and the records among them, in order."""

    topic: str
    partition: int
    first: int
    end: int
    records: Sequence[Received]

    @cached_property
    def sealings(self) -> list[Sealing]:
        """How each record is stored."""
        topic = self.topic
        if topic not in seal.OWN_TOPICS:
            return [seal.sealing_name(topic, _time(r), r.headers) for r in self.records]
        return [None if seal.is_own(topic, r.headers) else seal.sealing_name(topic, _time(r), r.headers) for r in self.records]

    @cached_property
    def names(self) -> set[str]:
        """The names of the keys that sealing takes."""
        return {name for name in self.sealings if name is not None}


def sequenced(part: Part, ciphers: Ciphers) -> tuple[list[bytes], list[int]]:
    """The canonical entries, gaps filled; and the offsets of late records.

    `ciphers`: one for each of `part.names`, None for an erased subject, about whom a record comes too late.
    """
    topic, partition, expected = part.topic, part.partition, part.first
    entries: list[bytes] = []
    late: list[int] = []
    for record, name in zip(part.records, part.sealings, strict=True):
        offset = record.offset
        if offset != expected:
            entries += gaps(topic, partition, expected, offset)
        expected = offset + 1
        place = Place(topic, partition, offset, _time(record))
        if name is None:
            entries.append(encode_record(place, record.headers, record.key, record.value))
            continue
        cipher = ciphers[name]
        if cipher is None:
            late.append(offset)
            entries.append(seal.encode_in_clear(Kind.FORGOTTEN, place, record.headers, name))
        else:
            entries.append(seal.encode_sealed(place, record.headers, record.key, record.value, name, cipher))
    entries += gaps(topic, partition, expected, part.end)
    return entries, late


def gaps(topic: str, partition: int, first: int, end: int) -> Iterator[bytes]:
    """One gap entry for each offset in [first, end)."""
    return (encode_gap(topic, partition, offset) for offset in range(first, end))


def is_of(raw: bytes, topic: str, partition: int, record: Received) -> bool:
    """Whether `raw` is the entry of this record, as far as it can be told without the key that sealed it."""
    place = Place(topic, partition, record.offset, _time(record))
    if seal.is_own(topic, record.headers):
        return raw == encode_record(place, record.headers, record.key, record.value)
    name = seal.sealing_name(topic, place.timestamp, record.headers)
    kinds = (Kind.SEALED, Kind.FORGOTTEN)
    return any(raw.startswith(seal.encode_in_clear(kind, place, record.headers, name)) for kind in kinds)


def _time(record: Received) -> int:
    return NO_TIME if record.timestamp is None else record.timestamp
