"""A bundle read in one pass: the leaf hashes of entries that are all as they should be, or None. Pure, and fast.

It accepts a bundle exactly when every entry parses (entry.py), stands at its place, and is whole in itself; a test holds it to
that. What it does not accept says nothing yet: the exact path (span.py) then reads the bundle again and names what is wrong.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from services.audit.log.entry import FORMAT, Kind
from services.audit.log.headers import NARROW_MAX

_OFFSET = struct.Struct(">Q").unpack_from
_LONG = struct.Struct(">I").unpack_from
NULL = 0xFFFFFFFF  # the length of what is not there
_BYTES_OF_PLACE = 16  # offset and timestamp
LAYOUTS_MAX = 4  # how many layouts of headers are tried at once before an entry is walked length by length
Layout = tuple[Callable[[bytes, int], tuple[int, ...]], tuple[int, ...], int]  # reads all lengths; what they are; bytes in all
PLAIN = (Kind.RECORD, Kind.SEALED, Kind.GAP, Kind.FORGOTTEN)  # a LARGE entry's file must be read too: the exact path


@dataclass(frozen=True)
class Shape:
    """What every entry of one shard begins with, up to its offset: the same bytes for each kind."""

    heads: dict[bytes, Kind]
    length: int
    layouts: list[Layout] = field(default_factory=list)  # of headers and key: most records of a shard share one

    @classmethod
    def of(cls, topic: str, partition: int) -> "Shape":
        name = topic.encode()
        heads = {
            bytes((FORMAT, kind)) + len(name).to_bytes(2, "big") + name + partition.to_bytes(4, "big"): kind for kind in PLAIN
        }
        return cls(heads, 8 + len(name))


def leaves(raw: bytes, width: int, shape: Shape, offset: int) -> list[bytes] | None:
    """The leaf hashes of a bundle of `width` entries, the first of which must be at `offset`."""
    hashes: list[bytes] = []
    heads, length, total, at = shape.heads, shape.length, len(raw), 0
    try:
        while at < total:
            start = at + 2
            at = start + (raw[start - 2] << 8 | raw[start - 1])
            place = start + length
            kind = heads.get(raw[start:place])
            if kind is None or _OFFSET(raw, place)[0] != offset:
                return None
            if _end(raw, kind, place + _BYTES_OF_PLACE, at, shape.layouts) != at:
                return None
            hashes.append(sha256(b"\0" + raw[start:at]).digest())
            offset += 1
    except (IndexError, struct.error):
        return None
    return hashes if at == total and len(hashes) == width else None


def _end(raw: bytes, kind: Kind, at: int, end: int, layouts: list[Layout]) -> int:
    """Where the entry ends by its own lengths; `at` stands after its head, `end` is where the bundle says it ends.

    A length can only lead further on: whoever arrives at `end` was never beyond it.
    """
    if kind is Kind.RECORD:
        for read, lengths, size in layouts:
            if at + size <= end and read(raw, at) == lengths:
                at += size
                break
        else:
            at = _walked(raw, at, end, layouts)
        size = _LONG(raw, at)[0]  # the value
        return at + (4 if size == NULL else 4 + size)
    if kind is Kind.GAP:
        return at
    at = _headers(raw, at)[0]
    at += 2 + (raw[at] << 8 | raw[at + 1])  # the name of the sealing key, then ciphertext up to the end
    return max(at, end)


def _walked(raw: bytes, at: int, end: int, layouts: list[Layout]) -> int:
    """Where headers and key end. Their layout is remembered for the next record: all lengths, read at once."""
    after, form = _headers(raw, at)
    size: int = _LONG(raw, after)[0]
    form += "I" if size == NULL else f"I{size}x"
    after += 4 if size == NULL else 4 + size
    if after <= end and len(layouts) < LAYOUTS_MAX:
        layout = struct.Struct(form)
        layouts.append((layout.unpack_from, layout.unpack_from(raw, at), layout.size))
    return after


def _headers(raw: bytes, at: int) -> tuple[int, str]:
    """Where the headers end, and the struct format that reads their lengths."""
    count, form = raw[at] << 8 | raw[at + 1], ">H"
    if count > NARROW_MAX:
        raise IndexError  # wide headers are longer than a bundle's entries may be
    at += 2
    for _ in range(count):
        name = raw[at] << 8 | raw[at + 1]
        at += 2 + name
        size: int = _LONG(raw, at)[0]
        at += 4 if size == NULL else 4 + size
        form += f"H{name}xI" if size == NULL else f"H{name}xI{size}x"
    return at, form
