"""The facts of one shard's entries, without taking each entry apart: what is laid out like one before is read in one step.

Records of a shard have the same headers, most of the same length. From an entry that was parsed, `Glance` learns where its
kind, its headers' names and all their lengths stand; where an entry has the very same bytes there, what lies between them are
the values. Any other entry is parsed (log/entry.py), so the answer, or the refusal, is always that of `parse`; a test holds it
to that.
"""

import struct
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

from services.audit.index.facts import HEADERS, Facts, facts_from, facts_of
from services.audit.log.entry import ENTRY_BYTES_MAX, Entry, Kind, parse
from services.audit.log.headers import NULL

LAYOUTS_MAX = 16  # of one shard and kind: types of events, and whether a person or a service acted
_MILLISECONDS = struct.Struct(">q").unpack_from
_BYTES_OF_PLACE = 16  # offset and timestamp, after the head
TWO, FOUR = 2, 4  # bytes of a count or a name's length; of a content's length


class Layout(NamedTuple):
    """Headers and key, or headers and sealing key, of entries that differ in their contents alone."""

    read: Callable[[bytes, int], tuple[bytes, ...]]
    size: int
    fixed: Callable[[tuple[bytes, ...]], object]  # of what `read` gives: names and lengths
    expected: object  # what those are
    names: tuple[str, ...]  # of HEADERS, those that are there
    values: Callable[[tuple[bytes, ...]], Sequence[bytes]]  # of what `read` gives: theirs


class Glance:
    """`facts(raw)` = `facts_of(parse(raw))`."""

    def __init__(self) -> None:
        self._length = 0  # of the head: format, kind, topic and partition
        self._known: dict[bytes, tuple[Kind, list[Layout]]] = {}

    def facts(self, raw: bytes) -> Facts:
        """MalformedError for what is no entry."""
        kind, layouts = self._known.get(raw[: self._length], (None, ()))
        if kind is not None:
            at, end = self._length + _BYTES_OF_PLACE, len(raw)
            for i, (read, size, fixed, expected, names, values) in enumerate(layouts):
                if at + size > end or fixed(parts := read(raw, at)) != expected:
                    continue
                value, whole = _value(raw, at + size) if kind is Kind.RECORD else (None, True)
                if not whole:
                    break
                if i:
                    layouts.insert(0, layouts.pop(i))  # type: ignore[union-attr]
                headers = dict(zip(names, values(parts), strict=False))
                return facts_from(kind, _MILLISECONDS(raw, at - 8)[0], headers, value)
        entry = parse(raw)
        self._learn(raw, entry)
        return facts_of(entry)

    def _learn(self, raw: bytes, entry: Entry) -> None:
        if entry.kind not in (Kind.RECORD, Kind.SEALED, Kind.FORGOTTEN) or len(raw) > ENTRY_BYTES_MAX:
            return  # an entry that was stored beside the log may have wide headers
        length = 8 + len(entry.place.topic.encode())
        if length != self._length or len(self._known) == len(Kind):
            self._length, self._known = length, {}
        layouts = self._known.setdefault(raw[:length], (entry.kind, []))[1]
        layouts.insert(0, _layout(entry, raw, length + _BYTES_OF_PLACE))
        del layouts[LAYOUTS_MAX:]


def _layout(entry: Entry, raw: bytes, at: int) -> Layout:
    """The layout of `raw`, which is `entry`; its headers begin at `at`."""
    form, fixed, names, values, parts = ">", [], [], [], 0
    between = TWO  # bytes since the last content: how many headers there are, then names and lengths
    for name, content in entry.headers:
        between += TWO + len(name.encode("utf-8", "surrogateescape")) + FOUR
        if content is None:
            continue
        wanted = name in HEADERS and name not in names
        form += f"{between}s{len(content)}{'s' if wanted else 'x'}"
        fixed.append(parts)
        if wanted:
            names.append(name)
            values.append(parts + 1)
        between, parts = 0, parts + 1 + wanted
    after, width = (
        (entry.key or b"", FOUR) if entry.kind is Kind.RECORD else (entry.sealing.encode("utf-8", "surrogateescape"), TWO)
    )
    read = struct.Struct(f"{form}{between + width}s{len(after)}x")
    of, to = itemgetter(*fixed, parts), itemgetter(*values, -1, -1)  # of one alone it would not give a tuple
    return Layout(read.unpack_from, read.size, of, of(read.unpack_from(raw, at)), tuple(names), to)


def _value(raw: bytes, at: int) -> tuple[bytes | None, bool]:
    """The value whose length stands at `at`, and whether the entry ends with it."""
    start = at + FOUR
    length = raw[at:start]
    if length == NULL:
        return None, start == len(raw)
    return raw[start:], len(length) == FOUR and start + int.from_bytes(length, "big") == len(raw)
