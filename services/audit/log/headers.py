"""A record's headers, encoded (docs/log-format.md section 2.2), and what their names alone decide.

The records of a topic nearly all have the same header names. So what the names say is worked out once: it is most of the
work of an entry.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

NULL = b"\xff\xff\xff\xff"
WIDE = b"\xff\xff"  # stands for the count where headers need 4-byte counts and lengths
NARROW_MAX = 0xFFFE  # headers of a record in the narrow form; one name has at most one byte more
NAME_BYTES_MAX = 0xFFFF  # in the narrow form
OUTLINES_MAX = 1_000  # kept, of at most OUTLINE_CHARS_MAX each: some megabytes, whatever names a publisher thinks of
OUTLINE_CHARS_MAX = 500
LENGTHS_MAX = 4_096
_two = struct.Struct(">H").pack
_four = struct.Struct(">I").pack
Headers = Sequence[tuple[str, bytes | None]]

_WHOLE = frozenset(("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_actor", "content-type"))
_ENVELOPE = _WHOLE | {"ce_subject", "traceparent"}
_STAYS = frozenset(("ce_id", "ce_type", "ce_source", "ce_time"))  # says what and when, not who


@dataclass(frozen=True)
class Outline:
    """What the header names of a record decide, in their order.

    `template`: the narrow form, as a format of each header's length and content; None where only the wide form can hold them.
    `is_envelope`: they are the whole envelope of an event of ours, and nothing besides.
    `subjects`, `stays`: where the names of the subject are, and of what stays in clear in a sealed entry.
    """

    template: bytes | None
    is_envelope: bool
    subjects: tuple[int, ...]
    stays: tuple[int, ...]

    @classmethod
    def of(cls, names: tuple[str, ...]) -> "Outline":
        have = frozenset(names)
        return cls(
            _template(names),
            len(have) == len(names) and _WHOLE <= have <= _ENVELOPE,
            tuple(i for i, name in enumerate(names) if name == "ce_subject"),
            tuple(i for i, name in enumerate(names) if name in _STAYS),
        )


class _Outlines(dict[tuple[str, ...], Outline]):
    def __missing__(self, names: tuple[str, ...]) -> Outline:
        outline = Outline.of(names)
        if sum(map(len, names)) <= OUTLINE_CHARS_MAX:
            if len(self) >= OUTLINES_MAX:  # names that never come again push nobody out for long
                self.clear()
            self[names] = outline
        return outline


class _Lengths(dict[int, bytes]):
    def __missing__(self, length: int) -> bytes:
        encoded = _four(length)
        if length < LENGTHS_MAX:
            self[length] = encoded
        return encoded


_OUTLINES = _Outlines()
_LENGTHS = _Lengths()


def outline_of(headers: Headers) -> Outline:
    """What the names of these headers decide."""
    return _OUTLINES[tuple([name for name, _ in headers])]


def encode_payload(outline: Outline, headers: Headers, key: bytes | None, value: bytes | None) -> bytes:
    """Headers, key and value in the encoding that RECORD uses and SEALED encrypts. The hot path."""
    return b"".join((encode_headers(outline, headers), *_blob(key), *_blob(value)))


def encode_headers(outline: Outline, headers: Headers) -> bytes:
    """Wide where, and only where, the narrow form cannot hold them. `outline`: of these headers."""
    if outline.template is None:
        return _wide(headers)
    lengths = _LENGTHS
    parts: list[bytes] = []
    for _, content in headers:
        parts += (NULL, b"") if content is None else (lengths[len(content)], content)
    return outline.template % tuple(parts)


def _blob(value: bytes | None) -> tuple[bytes, bytes]:
    return (NULL, b"") if value is None else (_LENGTHS[len(value)], value)


def _template(names: tuple[str, ...]) -> bytes | None:
    raw = [name.encode("utf-8", "surrogateescape") for name in names]
    if len(raw) > NARROW_MAX or any(len(name) > NAME_BYTES_MAX for name in raw):
        return None
    pieces = (_literal(_two(len(name)) + name) + b"%b%b" for name in raw)
    return b"".join((_literal(_two(len(raw))), *pieces))


def _literal(data: bytes) -> bytes:
    """As it stands in a format."""
    return data.replace(b"%", b"%%")


def _wide(headers: Headers) -> bytes:
    pairs = ((name.encode("utf-8", "surrogateescape"), content) for name, content in headers)
    pieces = (piece for name, content in pairs for piece in (*_blob(name), *_blob(content)))
    return b"".join((WIDE, _four(len(headers)), *pieces))
