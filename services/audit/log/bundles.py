"""Entry bundles: repeated (16-bit big-endian length, entry)."""

import struct
from collections.abc import Sequence

from services.audit.log.entry import ENTRY_BYTES_MAX
from shared.errors import InvariantError, MalformedError

_length = struct.Struct(">H").pack


def encode(entries: Sequence[bytes]) -> bytes:
    if max(map(len, entries), default=0) > ENTRY_BYTES_MAX:
        raise InvariantError("an entry is too long for a bundle")
    pieces = [b""] * (2 * len(entries))
    pieces[::2], pieces[1::2] = map(_length, map(len, entries)), entries
    return b"".join(pieces)


def parse(data: bytes) -> list[bytes]:
    """The entries; MalformedError if the last one is cut."""
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        at += 2
        if at + length > len(data) or at > len(data):
            raise MalformedError("the bundle is cut")
        entries.append(data[at : at + length])
        at += length
    return entries
