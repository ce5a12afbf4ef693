"""Records become entries: each gets the leaf that its offset demands. Pure.

A record is never skipped and never stops the log: what is foreign is sealed as it is, an offset at which the broker has
nothing becomes a gap.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from services.audit.log import seal
from services.audit.log.entry import Kind, encode_gap, encode_start, head_after
from services.audit.log.headers import Headers, Outlined, encode_payload, outlined
from shared.keys.deterministic import PlaceCipher

_NOTICE = re.compile(rb"kept\.[a-z]{2,32}\.subject\.shredded\.v[0-9]{1,3}")
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
    def headers(self) -> list[Outlined]:
        """Of each record, as the encodings take them."""
        return [outlined(record.headers) for record in self.records]

    @cached_property
    def sealings(self) -> list[Sealing]:
        """How each record is stored."""
        topic, both = self.topic, zip(self.records, self.headers, strict=True)
        return [None if seal.is_own(topic, headers) else seal.sealing_name(topic, _time(one), headers) for one, headers in both]

    @cached_property
    def names(self) -> set[str]:
        """The names of the keys that sealing takes."""
        return {name for name in self.sealings if name is not None}


def sequenced(part: Part, ciphers: Ciphers) -> tuple[list[bytes], list[int]]:
    """The canonical entries, gaps filled; and the offsets of late records that are to be told of.

    `ciphers`: one for each of `part.names`, None for an erased subject, about whom a record comes too late.
    """
    topic, partition, expected = part.topic, part.partition, part.first
    starts = {kind: encode_start(kind, topic, partition) for kind in (Kind.RECORD, Kind.SEALED, Kind.FORGOTTEN)}
    as_it_came = starts[Kind.RECORD]
    entries: list[bytes] = []
    late: list[int] = []
    for record, headers, name in zip(part.records, part.headers, part.sealings, strict=True):
        offset = record.offset
        if offset != expected:
            entries += gaps(topic, partition, expected, offset)
        expected = offset + 1
        if name is None:
            payload = encode_payload(headers, record.key, record.value)
            entries.append(head_after(as_it_came, offset, _time(record)) + payload)
            continue
        cipher = ciphers[name]
        if cipher is None:
            if not is_notice(record.headers):
                late.append(offset)
            head = head_after(starts[Kind.FORGOTTEN], offset, _time(record))
            entries.append(seal.encode_in_clear(head, headers, name))
        else:
            head = head_after(starts[Kind.SEALED], offset, _time(record))
            entries.append(seal.encode_sealed(head, headers, record.key, record.value, name, cipher))
    entries += gaps(topic, partition, expected, part.end)
    return entries, late


def is_notice(headers: Headers) -> bool:
    """Whether it is a holder's notice that it has erased the subject (`SubjectShredded`): of a holder that is not ours it comes
    on its own topic, often after we have erased them too, as it should. Of its contents nothing is kept either."""
    return any(name == "ce_type" and value is not None and _NOTICE.fullmatch(value) for name, value in headers)


def gaps(topic: str, partition: int, first: int, end: int) -> Iterator[bytes]:
    """One gap entry for each offset in [first, end)."""
    return (encode_gap(topic, partition, offset) for offset in range(first, end))


def is_of(raw: bytes, topic: str, partition: int, record: Received) -> bool:
    """Whether `raw` is the entry of this record, as far as it can be told without the key that sealed it."""
    headers = outlined(record.headers)

    def head(kind: Kind) -> bytes:
        return head_after(encode_start(kind, topic, partition), record.offset, _time(record))

    if seal.is_own(topic, headers):
        return raw == head(Kind.RECORD) + encode_payload(headers, record.key, record.value)
    name = seal.sealing_name(topic, _time(record), headers)
    kinds = (Kind.SEALED, Kind.FORGOTTEN)
    return any(raw.startswith(seal.encode_in_clear(head(kind), headers, name)) for kind in kinds)


def _time(record: Received) -> int:
    return NO_TIME if record.timestamp is None else record.timestamp
