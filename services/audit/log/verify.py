"""Verify a whole log offline, with public keys alone; names every fault by file, index and kind, not only the first.

For each shard: 1. the checkpoint is a note of one of the keys, of this origin. 2. Every entry parses, and says topic,
partition and the offset that its index demands. 3. A large entry is what its hash says. 4. Entries, tiles and the signed
root agree; where they do not, levels.py tells which side leads to the root, and 5. every hash that differs from it is named.
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
from services.audit.log.levels import Hashes, Right, Witnesses, resolve
from services.audit.log.store import KEYS, SHARDS
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


class _Shard:
    def __init__(self, files: Files, shard: str, checkpoint: Checkpoint, progress: Progress | None) -> None:
        self._files = files
        self._shard = shard
        self._cp = checkpoint
        self._progress = progress
        self._base: int | None = None
        self._found: list[Fault] = []

    def faults(self) -> list[Fault]:
        said = Witnesses()
        for n, width in self._widths():
            said.add(self._derived(n, width), self._stored(0, n, width), width)
            if self._progress:
                self._progress(self._shard, min(self._cp.size, (n + 1) * paths.WIDTH), self._cp.size)
        higher = self._higher()
        said.above = self._above(higher, len(said.derived))
        right = resolve(said, self._cp.root)  # 4
        if right is None:
            self._fault(paths.CHECKPOINT, "checkpoint", -1, "neither entries nor tiles lead to the signed root")
        else:  # 5
            self._bundles(said, right)
            self._tiles(higher, right)
        return self._found

    def _widths(self) -> Iterator[tuple[int, int]]:
        for n in range((self._cp.size + paths.WIDTH - 1) // paths.WIDTH):
            yield n, min(paths.WIDTH, self._cp.size - n * paths.WIDTH)

    def _derived(self, n: int, width: int, checking: bool = True) -> Hashes | None:
        """The leaf hashes of a bundle's entries, each checked; None where the file cannot be read."""
        path = paths.bundle(n, width)
        raw = self._read(path, n * paths.WIDTH, checking)
        if raw is None:
            return None
        try:
            entries = bundles.parse(raw)
        except MalformedError as error:
            self._unreadable(path, "entries", n * paths.WIDTH, error.detail, checking)
            return None
        if len(entries) != width:
            self._unreadable(path, "entries", n * paths.WIDTH, f"{len(entries)} entries, not {width}", checking)
            return None
        if checking:
            for i, entry in enumerate(entries):
                self._check(entry, path, n * paths.WIDTH + i)
        return [leaf_hash(e) for e in entries]

    def _stored(self, level: int, n: int, width: int, checking: bool = True) -> Hashes | None:
        """The hashes of a tile; None where it is missing or cut."""
        path, first = paths.tile(level, n, width), n * paths.WIDTH ** (level + 1)
        raw = self._read(path, first, checking)
        if raw is not None and len(raw) != width * 32:
            self._unreadable(path, "tile", first, "the wrong length", checking)
            return None
        return None if raw is None else [raw[i : i + 32] for i in range(0, len(raw), 32)]

    def _higher(self) -> dict[tuple[int, int], Hashes | None]:
        """Every tile above level 0."""
        found: dict[tuple[int, int], Hashes | None] = {}
        for level, full, width in paths.widths(self._cp.size)[1:]:
            for n in range(full + (width > 0)):
                found[level, n] = self._stored(level, n, paths.WIDTH if n < full else width)
        return found

    def _above(self, higher: dict[tuple[int, int], Hashes | None], count: int) -> list[bytes | None]:
        above: list[bytes | None] = []
        for n in range(count):
            hashes = higher[1, n // paths.WIDTH]
            above.append(None if hashes is None else hashes[n % paths.WIDTH])
        return above

    def _check(self, raw: bytes, path: str, index: int) -> None:  # 2, 3
        try:
            entry = parse_entry(raw)
        except MalformedError as error:
            self._fault(path, "entries", index, error.detail)
            return
        self._base = entry.place.offset - index if self._base is None else self._base
        topic, _, partition = self._shard.rpartition("/")
        place = (entry.place.topic, str(entry.place.partition), entry.place.offset)
        if place != (topic.partition("~")[0], partition, self._base + index):
            self._fault(path, "entries", index, "the entry is of another place")
        if entry.kind is Kind.LARGE:
            self._large(entry.body, index)

    def _large(self, body: bytes, index: int) -> None:
        path = f"large/{body[:32].hex()}"
        raw = self._read(path, index)
        if raw is not None and (hashlib.sha256(raw).digest() != body[:32] or len(raw) != int.from_bytes(body[32:], "big")):
            self._fault(path, "large", index, "not what its hash says")

    def _bundles(self, said: Witnesses, right: Right) -> None:
        """Entries and level-0 tiles, against the hashes that lead to the signed root."""
        for n, width in self._widths():
            full = width == paths.WIDTH
            derived_root = said.derived[n] if full else said.tail_derived and root_of(said.tail_derived)
            stored_root = said.stored[n] if full else said.tail_stored and root_of(said.tail_stored)
            want = right.levels[1][n] if full else root_of(right.levels[0])
            wrong_entries, wrong_tile = derived_root not in (None, want), stored_root not in (None, want)
            if not (wrong_entries or wrong_tile):
                continue
            derived, stored = self._derived(n, width, checking=False), self._stored(0, n, width, checking=False)
            apart = [i for i, (a, b) in enumerate(zip(derived or (), stored or (), strict=False)) if a != b]
            for i in apart if wrong_entries != wrong_tile and apart else [0]:  # both wrong: only the bundle is known
                if wrong_entries:
                    self._unsigned(paths.bundle(n, width), "entries", n * paths.WIDTH + i)
                if wrong_tile:
                    self._unsigned(paths.tile(0, n, width), "tile", n * paths.WIDTH + i)

    def _tiles(self, higher: dict[tuple[int, int], Hashes | None], right: Right) -> None:
        for (level, n), stored in higher.items():
            want = right.levels[level][n * paths.WIDTH : (n + 1) * paths.WIDTH]
            for i, (have, good) in enumerate(zip(stored or (), want, strict=False)):
                if have != good:
                    at = (n * paths.WIDTH + i) * paths.WIDTH**level
                    self._unsigned(paths.tile(level, n, len(want)), "tile", at)

    def _read(self, path: str, index: int, checking: bool = True) -> bytes | None:
        try:
            return self._files.get(f"{self._shard}/{path}")
        except NotFoundError:
            if checking:
                self._fault(path, "missing", index, "the file is not there")
            return None

    def _unreadable(self, path: str, kind: str, index: int, detail: str, checking: bool) -> None:
        if checking:
            self._fault(path, kind, index, detail)

    def _unsigned(self, path: str, kind: str, index: int) -> None:
        fault = Fault(f"{self._shard}/{path}", kind, index, "not what the signed root covers")
        if not any((f.file, f.index) == (fault.file, fault.index) for f in self._found):  # a broken entry is named once
            self._found.append(fault)

    def _fault(self, path: str, kind: str, index: int, detail: str) -> None:
        self._found.append(Fault(f"{self._shard}/{path}", kind, index, detail))
