"""The manifest: what a set is, as the text of a signed note (docs/formats/backup.md §3).

One accepted encoding: `encode(parse(text)) == text`. The key line is the set's own age identity, wrapped by Vault
transit: whoever holds the set and not Vault holds noise.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import MalformedError

MAGIC = "kept-backup-manifest/v1"
MANIFEST_BYTES_MAX = 64 * 1024 * 1024  # bounds what a parser reads before any signature is checked

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_LSN = r"[0-9A-F]{1,8}/[0-9A-F]{1,8}"
_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_FIELDS = (
    ("id", r"bak_[0-9a-f]{32}"),
    ("taken", _TIME),
    ("server", r"[0-9]{2,3}\.[0-9]{1,3}"),
    ("system", r"[1-9][0-9]{0,19}"),
    ("timeline", r"[1-9][0-9]{0,9}"),
    ("start", _LSN),
    ("stop", _LSN),
    ("recipient", r"age1[02-9ac-hj-np-z]{58}"),
    ("key", r"vault:v[1-9][0-9]{0,8}:[A-Za-z0-9+/]+={0,2}"),
)
_PART = re.compile(rf"part ({_NUMBER}) ({_NUMBER}) ([0-9a-f]{{64}})")
_HEAD = re.compile(rf"head ([a-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*/{_NUMBER}) ({_NUMBER}) ([A-Za-z0-9+/]{{43}}=)")


@dataclass(frozen=True)
class Part:
    number: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Head:
    """A published checkpoint of the log, read when the set was begun: what the log had said by then."""

    origin: str
    size: int
    root: str


@dataclass(frozen=True)
class Manifest:
    id: str
    taken: str
    server: str
    system: str
    timeline: str
    start: str
    stop: str
    recipient: str
    key: str
    parts: tuple[Part, ...]
    heads: tuple[Head, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)


def encode(manifest: Manifest) -> str:
    lines = [MAGIC, *(f"{name} {getattr(manifest, name)}" for name, _ in _FIELDS)]
    lines += [f"part {p.number} {p.bytes} {p.sha256}" for p in manifest.parts]
    lines += [f"head {h.origin} {h.size} {h.root}" for h in manifest.heads]
    text = "\n".join(lines) + "\n"
    if parse(text) != manifest:
        raise MalformedError("manifest: a value would be read as something else")
    return text


def parse(text: str) -> Manifest:
    """Raises MalformedError for anything but the one encoding; parts must be numbered 0, 1, 2, … without a gap."""
    if len(text) > MANIFEST_BYTES_MAX or not text.endswith("\n"):
        raise MalformedError("manifest: too long, or its last line does not end")
    lines = iter(text[:-1].split("\n"))
    if next(lines) != MAGIC:
        raise MalformedError(f"manifest: does not begin with {MAGIC}")
    fields = {name: _field(lines, name, pattern) for name, pattern in _FIELDS}
    parts: list[Part] = []
    heads: list[Head] = []
    for line in lines:
        if not heads and (found := _PART.fullmatch(line)):
            parts.append(Part(int(found[1]), int(found[2]), found[3]))
        elif found := _HEAD.fullmatch(line):
            heads.append(Head(found[1], int(found[2]), found[3]))
        else:
            raise MalformedError("manifest: a line is neither a part nor, after the parts, a head")
    if not parts or [p.number for p in parts] != list(range(len(parts))):
        raise MalformedError("manifest: parts are not numbered 0, 1, 2, …")
    if [h.origin for h in heads] != sorted({h.origin for h in heads}):
        raise MalformedError("manifest: heads are not sorted by origin, each once")
    (id_, taken, server, system, timeline, start, stop, recipient, key) = fields.values()
    return Manifest(id_, taken, server, system, timeline, start, stop, recipient, key, parts=tuple(parts), heads=tuple(heads))


def _field(lines: Iterator[str], name: str, pattern: str) -> str:
    line = next(lines, "")
    if not re.fullmatch(f"{name} {pattern}", line):
        raise MalformedError(f"manifest: the line {name!r} is missing or not as its format says")
    return line[len(name) + 1 :]
