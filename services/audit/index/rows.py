"""Rows as COPY takes them: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". Pure.

A row is its number of fields, and each field its length and its bytes, in the order of the columns that are named here.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from services.audit.index.facts import Facts

COLUMNS = {
    "events": ("time", "shard", "index", "ce_id", "type", "actor", "subject", "trace", "purpose", "look", "detail"),
    "about": ("time", "shard", "index", "subject"),
}
_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_END = b"\xff\xff"
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_JSONB = b"\x01"  # the version of its text form
_YES, _NO = b"\0\0\0\x01\x01", b"\0\0\0\x01\0"
_length = struct.Struct(">i").pack
_start = struct.Struct(">hiq").pack  # a row begins: how many fields, then the time
_number = struct.Struct(">iq").pack


def copied(shard: str, entries: Iterable[tuple[int, Facts]]) -> tuple[bytes, bytes]:
    """What COPY takes into `events` and `about` of (index, facts) of a shard; empty where there is no row."""
    name = _text(shard)
    events: list[bytes] = []
    about: list[bytes] = []
    for index, facts in entries:
        at, number = (facts.time - _EPOCH) // _MICROSECOND, _number(8, index)
        detail = to_json(facts.detail) if facts.detail else b"{}"
        events += (
            _start(11, 8, at), name, number, _text(facts.ce_id), _text(facts.type), _text(facts.actor),
            _text(facts.subject), _text(facts.trace), _text(facts.purpose), _YES if facts.look else _NO,
            _length(1 + len(detail)), _JSONB, detail,
        )  # fmt: skip
        for subject in facts.about:
            about += (_start(4, 8, at), name, number, _text(subject))
    return _whole(events), _whole(about)


def _text(text: str) -> bytes:
    raw = text.encode()
    return _length(len(raw)) + raw


def _whole(pieces: Sequence[bytes]) -> bytes:
    return b"".join((_BEGIN, *pieces, _END)) if pieces else b""
