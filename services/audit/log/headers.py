"""A record's headers, encoded (docs/log-format.md section 2.2), and what their names and lengths alone decide.

The records of a topic nearly all have the same header names, and few different lengths. So what these say is worked out once:
it is most of the work of an entry.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

NULL = b"\xff\xff\xff\xff"
WIDE = b"\xff\xff"  # stands for the count where headers need 4-byte counts and lengths
NARROW_MAX = 0xFFFE  # headers of a record in the narrow form; one name has at most one byte more
NAME_BYTES_MAX = 0xFFFF  # in the narrow form
OUTLINES_MAX = 4_096  # kept, of at most OUTLINE_BYTES_MAX each: some megabytes, whatever a publisher thinks of
OUTLINE_BYTES_MAX = 1_000  # encoded
STAYS_BYTES_MAX = 200  # of a header that stays in clear
SUBJECT_BYTES = 36  # of one of our pseudonyms (shared/ids.py)
_two = struct.Struct(">H").pack
_four = struct.Struct(">I").pack
Headers = Sequence[tuple[str, bytes | None]]

_WHOLE = frozenset(("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_actor", "content-type"))
_ENVELOPE = _WHOLE | {"ce_subject", "ce_session", "traceparent"}
_STAYS = frozenset(("ce_id", "ce_type", "ce_source", "ce_time"))  # says what and when, not who


Contents = tuple[bytes, ...]


@dataclass(frozen=True)
class Outline:
    """What the header names of a record and the lengths of their contents decide, in their order.

    `headers`: a format that takes the contents; `payload`: and key and value, each after its length.
    `stays`: picks those of the contents that stay in clear in a sealed entry. `clear`: the format of such an entry's head,
    these, and an Ending; `about`: where that names the subject, too.
    `is_envelope`: they are the whole envelope of an event of ours, and nothing besides.
    `subjects`: which of the contents may name one of our subjects.
    """

    headers: bytes
    payload: bytes
    stays: Callable[[Contents], Contents]
    clear: bytes
    about: bytes
    is_envelope: bool
    subjects: tuple[int, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], lengths: tuple[int | None, ...]) -> "Outline":
        """`lengths`: None of a header without a content."""
        every = [
            (name, _literal(NULL if length is None else _four(length))) for name, length in zip(names, lengths, strict=True)
        ]
        short = [length is not None and length <= STAYS_BYTES_MAX for length in lengths]
        stays = [at for at, name in enumerate(names) if name in _STAYS and short[at]]
        clear = [every[at] for at in stays]
        return cls(
            headers := _format(every),
            headers + b"%b%b%b%b",
            itemgetter(*stays) if len(stays) > 1 else lambda contents: tuple([contents[at] for at in stays]),
            b"%b" + _format(clear) + b"%b",
            b"%b" + _format([*clear, ("ce_subject", b"")]),
            len(set(names)) == len(names) and _WHOLE <= set(names) <= _ENVELOPE,
            tuple(at for at, name in enumerate(names) if name == "ce_subject" and lengths[at] == SUBJECT_BYTES),
        )


Outlined = tuple[Outline, Contents]  # headers, as the encodings take them; a content is empty where there is none


@dataclass(frozen=True)
class Ending:
    """How the clear part of a sealed entry ends. `about`: with the subject as its last header. `encoded`: that header's length
    and content, and the name of the sealing key."""

    about: bool
    encoded: bytes

    @classmethod
    def of(cls, sealing: bytes, *, about: bool) -> "Ending":
        """`about`: the name of the sealing key is the subject's."""
        name = _two(len(sealing)) + sealing
        return cls(about, _four(len(sealing)) + sealing + name if about else name)


class _Outlines(dict[tuple[tuple[str, ...], tuple[int | None, ...]], Outline]):
    def __missing__(self, key: tuple[tuple[str, ...], tuple[int | None, ...]]) -> Outline:
        outline = Outline.of(*key)
        if len(outline.headers) <= OUTLINE_BYTES_MAX:
            if len(self) >= OUTLINES_MAX:  # what never comes again pushes nobody out for long
                self.clear()
            self[key] = outline
        return outline


_OUTLINES = _Outlines()


def outlined(headers: Headers) -> Outlined:
    """The hot path, as the three below."""
    if not headers:
        return _OUTLINES[(), ()], ()
    names, contents = zip(*headers, strict=True)
    if None in contents:
        lengths = tuple([None if content is None else len(content) for content in contents])
        return _OUTLINES[names, lengths], tuple([content or b"" for content in contents])
    return _OUTLINES[names, tuple(map(len, contents))], contents


def encode_headers(headers: Headers) -> bytes:
    """Wide where, and only where, the narrow form cannot hold them."""
    outline, contents = outlined(headers)
    return outline.headers % contents


def encode_payload(headers: Outlined, key: bytes | None, value: bytes | None) -> bytes:
    """Headers, key and value in the encoding that RECORD uses and SEALED encrypts."""
    outline, contents = headers
    key_length = NULL if key is None else _four(len(key))
    value_length = NULL if value is None else _four(len(value))
    return outline.payload % (*contents, key_length, key or b"", value_length, value or b"")


def encode_staying(head: bytes, headers: Outlined, ending: Ending) -> bytes:
    """An entry's head, the headers that stay in clear when it is sealed, and how that ends."""
    outline, contents = headers
    return (outline.about if ending.about else outline.clear) % (head, *outline.stays(contents), ending.encoded)


def _format(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """That takes the contents of headers of these names and encoded lengths; together with its length where that is empty."""
    raw = [(name.encode("utf-8", "surrogateescape"), length) for name, length in headers]
    wide = len(raw) > NARROW_MAX or any(len(name) > NAME_BYTES_MAX for name, _ in raw)
    count = _four if wide else _two
    pieces = (_literal(count(len(name)) + name) + length + b"%b" for name, length in raw)
    return b"".join((WIDE if wide else b"", _literal(count(len(raw))), *pieces))


def _literal(data: bytes) -> bytes:
    """As it stands in a format."""
    return data.replace(b"%", b"%%")
