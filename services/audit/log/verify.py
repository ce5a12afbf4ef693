"""Verify a whole log offline, with public keys alone; names every fault by file, index and kind, not only the first.

For each shard: 1. the checkpoint is a note of one of the keys, of this origin. 2. Every entry parses, and says topic,
partition and the offset that its index demands. 3. A large entry is what its hash says. 4. Every tile is what the entries
lead to. 5. The root is the checkpoint's. Where entries and tiles disagree, the side that leads to the signed root is right.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.audit.log import bundles, paths
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.checkpoint import parse as parse_checkpoint
from services.audit.log.entry import Kind
from services.audit.log.entry import parse as parse_entry
from services.audit.log.store import KEYS, SHARDS
from services.audit.log.tiles import Edge
from services.audit.log.tree import leaf_hash, root_of
from shared.errors import KeptError, MalformedError, NotFoundError
from shared.notes.note import verify_note

Progress = Callable[[str, int, int], None]  # shard, entries done, entries in all


class Files(Protocol):
    """Where the log is read from: a directory, a bucket, a URL."""

    def get(self, path: str) -> bytes:
        """NotFoundError if there is no such file."""
        ...


@dataclass(frozen=True)
class Fault:
    """`kind`: checkpoint, entries, tile, large, missing. `index`: of the first leaf concerned, or -1 for the whole file."""

    file: str
    kind: str
    index: int
    detail: str


@dataclass(frozen=True)
class Result:
    shard: str
    size: int
    root: bytes
    faults: tuple[Fault, ...]


def shards(files: Files) -> list[str]:
    """The shards that the log lists."""
    return files.get(SHARDS).decode().split()


def vkeys(files: Files) -> list[str]:
    """The keys that the log publishes. Whoever verifies should have them from elsewhere."""
    return files.get(KEYS).decode().split()


def verify_shard(files: Files, shard: str, keys: Sequence[str], progress: Progress | None = None) -> Result:
    """All checks on one shard."""
    name = f"{shard}/{paths.CHECKPOINT}"
    try:  # 1
        found = parse_checkpoint(verify_note(_text(files.get(name)), keys))
        if not found.origin.endswith("/" + shard):
            raise MalformedError("the checkpoint is another shard's")
    except KeptError as error:
        kind = "missing" if isinstance(error, NotFoundError) else "checkpoint"
        return Result(shard, 0, b"", (Fault(name, kind, -1, error.detail),))
    except UnicodeDecodeError:
        return Result(shard, 0, b"", (Fault(name, "checkpoint", -1, "not UTF-8"),))
    faults = tuple(_Shard(files, shard, found, progress).faults())
    return Result(shard, found.size, found.root, faults)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8")


@dataclass
class _Bundle:
    """`stored`: the level-0 tile's hashes. `derived`: those of the entries. Empty where the file is missing or cut."""

    n: int
    stored: list[bytes]
    derived: list[bytes]


class _Shard:
    def __init__(self, files: Files, shard: str, checkpoint: Checkpoint, progress: Progress | None) -> None:
        self._files = files
        self._shard = shard
        self._cp = checkpoint
        self._progress = progress
        self._found: list[Fault] = []

    def faults(self) -> Iterator[Fault]:
        suspects: list[_Bundle] = []
        by_entries, by_tiles = _Levels(), _Levels()
        for one in self._bundles():
            if one.stored != one.derived:
                suspects.append(one)
            by_entries.add(one.derived or one.stored)
            by_tiles.add(one.stored or one.derived)
        good = by_entries.root() == self._cp.root
        yield from self._found
        if good:  # the entries lead to the signed root: any tile that says otherwise is wrong
            for one in suspects:
                if one.derived:
                    yield self._differs(0, one.n, one.stored, one.derived, "tile")
            yield from self._tiles(by_entries)
            return
        if by_tiles.root() == self._cp.root:
            for one in suspects:
                yield self._differs("entries", one.n, one.stored, one.derived, "entries")
            yield from self._tiles(by_tiles)
            return
        for one in suspects:
            if one.derived and one.stored:
                yield self._differs("entries", one.n, one.stored, one.derived, "entries")
        if not suspects and not self._found:
            detail = "entries and tiles agree with one another, and not with the signed root"
            yield Fault(f"{self._shard}/{paths.CHECKPOINT}", "checkpoint", -1, detail)

    def _differs(self, level: int | str, n: int, stored: list[bytes], derived: list[bytes], kind: str) -> Fault:
        width = min(paths.WIDTH, self._cp.size - n * paths.WIDTH)
        at = next((i for i, (a, b) in enumerate(zip(stored, derived, strict=False)) if a != b), 0)
        return Fault(
            f"{self._shard}/{paths.tile(level, n, width)}", kind, n * paths.WIDTH + at, "not what the signed root covers"
        )

    def _bundles(self) -> Iterator[_Bundle]:
        size, base = self._cp.size, None
        for n in range((size + paths.WIDTH - 1) // paths.WIDTH):
            width = min(paths.WIDTH, size - n * paths.WIDTH)
            raw = self._read(paths.tile(0, n, width), n)
            stored = [raw[i : i + 32] for i in range(0, len(raw), 32)]
            if raw and len(raw) != width * 32:
                self._fault(paths.tile(0, n, width), "tile", n * paths.WIDTH, "the wrong length")
                stored = []
            entries = self._entries(n, width)
            for i, entry in enumerate(entries):
                base = self._check(entry, n, i, width, base)
            yield _Bundle(n, stored, [leaf_hash(e) for e in entries])
            if self._progress:
                self._progress(self._shard, min(size, (n + 1) * paths.WIDTH), size)

    def _entries(self, n: int, width: int) -> list[bytes]:
        path = paths.bundle(n, width)
        raw = self._read(path, n)
        if not raw:
            return []
        try:
            entries = bundles.parse(raw)
        except MalformedError as error:
            self._fault(path, "entries", n * paths.WIDTH, error.detail)
            return []
        if len(entries) != width:
            self._fault(path, "entries", n * paths.WIDTH, f"{len(entries)} entries, not {width}")
            return []
        return entries

    def _check(self, raw: bytes, n: int, i: int, width: int, base: int | None) -> int | None:  # 2, 3
        index, path = n * paths.WIDTH + i, paths.bundle(n, width)
        try:
            entry = parse_entry(raw)
        except MalformedError as error:
            self._fault(path, "entries", index, error.detail)
            return base
        base = entry.place.offset - index if base is None else base
        topic, _, partition = self._shard.rpartition("/")
        place = (entry.place.topic, str(entry.place.partition), entry.place.offset)
        if place != (topic.partition("~")[0], partition, base + index):
            self._fault(path, "entries", index, "the entry is of another place")
        if entry.kind is Kind.LARGE:
            self._large(entry.body, index)
        return base

    def _large(self, body: bytes, index: int) -> None:
        path = f"large/{body[:32].hex()}"
        raw = self._read(path, index // paths.WIDTH)
        if raw and (hashlib.sha256(raw).digest() != body[:32] or len(raw) != int.from_bytes(body[32:], "big")):
            self._fault(path, "large", index, "not what its hash says")

    def _tiles(self, right: "_Levels") -> Iterator[Fault]:  # 4
        """Every tile above level 0, against the levels that lead to the signed root."""
        for level, hashes in enumerate(right.levels):
            if level == 0:
                continue
            for n in range((len(hashes) + paths.WIDTH - 1) // paths.WIDTH):
                want = hashes[n * paths.WIDTH : (n + 1) * paths.WIDTH]
                path = paths.tile(level, n, len(want))
                first = n * paths.WIDTH ** (level + 1)
                try:
                    raw = self._files.get(f"{self._shard}/{path}")
                except NotFoundError:
                    yield Fault(f"{self._shard}/{path}", "missing", first, "the file is not there")
                    continue
                if raw != b"".join(want):
                    yield Fault(f"{self._shard}/{path}", "tile", first, "not what the signed root covers")

    def _read(self, path: str, n: int) -> bytes:
        try:
            return self._files.get(f"{self._shard}/{path}")
        except NotFoundError:
            self._fault(path, "missing", n * paths.WIDTH, "the file is not there")
            return b""

    def _fault(self, path: str, kind: str, index: int, detail: str) -> None:
        self._found.append(Fault(f"{self._shard}/{path}", kind, index, detail))


class _Levels:
    """The hashes of every level above the leaves (one in 256 of the one below), and the unfinished leaves."""

    def __init__(self) -> None:
        self.levels: list[list[bytes]] = [[]]
        self._last: list[bytes] = []

    def add(self, leaves: Sequence[bytes]) -> None:
        """One bundle's leaf hashes; only the last may have fewer than 256."""
        self._last = list(leaves)
        if len(leaves) == paths.WIDTH:
            self._up(1, root_of(leaves))
            self._last = []

    def _up(self, level: int, value: bytes) -> None:
        if level == len(self.levels):
            self.levels.append([])
        self.levels[level].append(value)
        if len(self.levels[level]) % paths.WIDTH == 0:
            self._up(level + 1, root_of(self.levels[level][-paths.WIDTH :]))

    def root(self) -> bytes:
        edge = Edge()
        edge.levels = [self._last, *([h[len(h) - len(h) % paths.WIDTH :] for h in self.levels[1:]])]
        return edge.root()
