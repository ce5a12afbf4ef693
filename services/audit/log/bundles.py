"""Entry bundles: repeated (16-bit big-endian length, entry)."""

import struct
from collections.abc import Sequence

from services.audit.log.entry import ENTRY_BYTES_MAX
from shared.errors import InvariantError, MalformedError

_length = struct.Struct(">H").pack


def encode(entries: Sequence[bytes]) -> bytes:
    if any(len(e) > ENTRY_BYTES_MAX for e in entries):
        raise InvariantError("an entry is too long for a bundle")
    return b"".join([piece for e in entries for piece in (_length(len(e)), e)])


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
