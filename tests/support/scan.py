"""Search a directory tree for personal values, in every encoding a careless program might have left them in.

`needles(values)` spells each value as UTF-8, UTF-16 (both orders), Latin-1, NFC/NFD, upper and lower case, JSON and URL
escapes, hex, and base64 (at all three alignments, standard and URL alphabet). `scan(root, values)` reads every file, and
what is inside gzip, zlib, zip and zstd streams wherever they start, and yields each hit.
"""

import base64
import gzip
import io
import json
import re
import unicodedata
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ahocorasick_rs
import zstandard

INFLATED_BYTES_MAX = 64 * 1024 * 1024  # per stream: a bomb must not end the search
SHORT_WORD_MAX = 6  # a needle this short must stand as a word of its own: base64 of random bytes holds any five letters


@dataclass(frozen=True)
class Hit:
    path: Path
    where: str
    label: str
    encoding: str


def _base64_cores(raw: bytes, alphabet: bytes) -> Iterator[bytes]:
    """The characters of base64 that depend on `raw` alone, for each of the three alignments."""
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw, altchars=alphabet).rstrip(b"=")
        skip = (0, 2, 3)[lead]
        tail = (len(raw) + lead) % 3
        core = text[skip : len(text) - (1 if tail else 0)]
        if len(core) >= 8:
            yield core


def spellings(value: str) -> Iterator[tuple[str, bytes]]:
    """Every spelling of `value` that is searched for: (name of the encoding, bytes)."""
    forms = {value, value.lower(), value.upper()}
    forms |= {unicodedata.normalize("NFD", f) for f in set(forms)} | {unicodedata.normalize("NFC", f) for f in set(forms)}
    for form in forms:
        raw = form.encode()
        yield "utf-8", raw
        yield "utf-16le", form.encode("utf-16-le")
        yield "utf-16be", form.encode("utf-16-be")
        yield "latin-1", form.encode("latin-1", "replace")
        yield "json", json.dumps(form)[1:-1].encode()
        yield "url", urllib.parse.quote(form).encode()
        yield "url+", urllib.parse.quote_plus(form).encode()
        yield "hex", raw.hex().encode()
        yield "HEX", raw.hex().upper().encode()
        for core in _base64_cores(raw, b"+/"):
            yield "base64", core
        for core in _base64_cores(raw, b"-_"):
            yield "base64url", core


class Needles:
    """All spellings of all values as one automaton. `values` maps a label that may be shown to the value."""

    def __init__(self, values: dict[str, str]) -> None:
        seen: dict[bytes, tuple[str, str]] = {}
        for label, value in values.items():
            for encoding, raw in spellings(value):
                if len(raw) >= 4 and b"?" not in raw:
                    seen.setdefault(raw, (label, encoding))
        self._names = list(seen.values())
        self._raw = list(seen)
        self._automaton = ahocorasick_rs.BytesAhoCorasick(self._raw)

    def find(self, data: bytes) -> Iterator[tuple[str, str, int]]:
        for index, start, end in self._automaton.find_matches_as_indexes(data, overlapping=True):
            raw = self._raw[index]
            label, encoding = self._names[index]
            if len(raw) <= SHORT_WORD_MAX and not _stands_alone(data, start, end):
                continue
            yield label, encoding, start


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    """Whether the bytes around are not letters or digits: `Lee` in a sentence, not in the middle of random text."""
    around = data[max(0, start - 1) : start] + data[end : end + 1]
    readable = data[max(0, start - 4) : end + 4]
    return not re.search(rb"[A-Za-z0-9+/_=-]", around) and all(0x09 <= b < 0xF5 and b != 0x7F for b in readable)


def _inside(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What compressed streams in `data` hold, wherever they start."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield f"zip:{name}", archive.read(name)
    for found in re.finditer(rb"\x1f\x8b\x08|\x28\xb5\x2f\xfd|\x78[\x01\x9c\xda]", data):
        at = found.start()
        inflated = b""
        try:
            if data[at] == 0x28:
                inflated = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data[at:])).read(INFLATED_BYTES_MAX)
            elif data[at] == 0x1F:
                inflated = zlib.decompressobj(31).decompress(data[at:], INFLATED_BYTES_MAX)
            else:
                inflated = zlib.decompressobj(15).decompress(data[at:], INFLATED_BYTES_MAX)
        except (zstandard.ZstdError, zlib.error, gzip.BadGzipFile, OSError):
            continue
        if len(inflated) >= 4:
            yield f"inflated@{at}", inflated


def scan(root: Path, values: dict[str, str], *, leave_out: Iterable[str] = ()) -> Iterator[Hit]:
    """Every place under `root` where one of `values` can be read. `leave_out`: directory names directly under `root`
    that hold programs, not data. Hits carry the label of a value, never the value."""
    needles = Needles(values)
    skipped = {root / name for name in leave_out}
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or any(parent in skipped for parent in path.parents):
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a live server may remove a file between listing and reading
            continue
        for label, encoding, at in needles.find(data):
            yield Hit(path, f"@{at}", label, encoding)
        for where, inner in _inside(data):
            for label, encoding, _ in needles.find(inner):
                yield Hit(path, where, label, encoding)
