"""One span of a shard checked: up to 65,536 leaves, their bundles and tiles, under a hash that is known to be right.

1. The level-1 tile is what its hash, one level up, says. 2. The entries of each bundle are as they should be, and 3. their
hashes are the level-0 tile, and 4. that tile's root is its item in the level-1 tile. A bundle for which all of that holds is
done in one pass (walk.py). Any other is read again slowly, and every fault in it named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from services.audit.log import bundles, paths, walk
from services.audit.log.entry import Entry, Kind
from services.audit.log.entry import parse as parse_entry
from services.audit.log.found import LEDGER_TYPE, Claim, Fault, claims
from services.audit.log.levels import Hashes, Reader, candidates, chosen, tile_right
from services.audit.log.sources import GONE, Files, ahead
from services.audit.log.tree import leaf_hashes, root_of
from shared.errors import MalformedError

LEAVES = paths.WIDTH**2
NEITHER = "neither it nor what lies under it leads to the signed root"


@dataclass(frozen=True)
class Span:
    """`right`: the level-1 tile's hash, known to be right, or None where nothing above could be trusted. In the unfinished last
    span instead `ones`, the items of its level-1 tile, and `tail`, the leaf hashes of the last bundle, where known."""

    shard: str
    n: int
    size: int
    base: int | None
    right: bytes | None = None
    ones: tuple[bytes, ...] | None = None
    tail: tuple[bytes, ...] | None = None

    @property
    def entries(self) -> int:
        return min(LEAVES, self.size - self.n * LEAVES)

    @property
    def full(self) -> bool:
        return self.entries == LEAVES


@dataclass(frozen=True)
class Checked:
    """What a span came to."""

    faults: tuple[Fault, ...]
    claims: tuple[tuple[str, int, Claim], ...]  # of the ledger: file, index, claim


def check(files: Files, span: Span) -> Checked:
    """All checks on one span."""
    return _Check(files, span).run()


def place_of(shard: str) -> tuple[str, int]:
    """(topic, partition) of a shard's records: `a.b~2/7` holds partition 7 of `a.b`."""
    topic, _, partition = shard.rpartition("/")
    return topic.partition("~")[0], int(partition)


class _Check:
    def __init__(self, files: Files, span: Span) -> None:
        self._files = files
        self._span = span
        self._place = place_of(span.shard)
        self._shape = walk.Shape.of(*self._place)
        self._reader = Reader(files, span.shard, span.size)
        self._faults: list[Fault] = self._reader.faults
        self._claims: list[tuple[str, int, Claim]] = []

    def run(self) -> Checked:
        span = self._span
        first, count = span.n * paths.WIDTH, (span.entries + paths.WIDTH - 1) // paths.WIDTH
        widths = [min(paths.WIDTH, span.size - n * paths.WIDTH) for n in range(first, first + count)]
        ones = list(span.ones) if span.ones is not None else self._ones() if span.full else None  # 1
        names = [f"{span.shard}/{p}" for n, w in enumerate(widths, first) for p in (paths.bundle(n, w), paths.tile(0, n, w))]
        read = ahead(self._files, names)
        for i, width in enumerate(widths):
            right = ones[i] if ones is not None and width == paths.WIDTH else None
            self._bundle(first + i, width, next(read), next(read), right)
        return Checked(tuple(self._faults), tuple(self._claims))

    def _ones(self) -> Hashes | None:
        """The items of the level-1 tile, its own faults named."""
        return tile_right(self._reader, 1, self._span.n, self._span.right)

    def _bundle(self, n: int, width: int, raw: bytes | None, tile: bytes | None, right: bytes | None) -> None:
        span, index = self._span, n * paths.WIDTH
        if raw is not None and span.base is not None and not (self._place[0] == "kept.audit" and LEDGER_TYPE in raw):
            hashes = walk.leaves(raw, width, self._shape, span.base + index)  # 2
            if hashes is not None and tile == b"".join(hashes):  # 3
                signed = root_of(hashes) == right if width == paths.WIDTH else span.tail == tuple(hashes)  # 4
                if signed:
                    return
        derived = self._derived(paths.bundle(n, width), raw, width, index)
        stored = self._stored(paths.tile(0, n, width), tile, width, index, telling=width == paths.WIDTH)
        self._compare(n, width, derived, stored, right)

    # -- the exact path ---------------------------------------------------------------------------------------------

    def _derived(self, path: str, raw: bytes | None, width: int, index: int) -> Hashes | None:
        """The leaf hashes of a bundle's entries, each checked; None where the file cannot be read."""
        if raw is None:
            self._fault(path, "missing", index, "the file is not there")
            return None
        try:
            entries = bundles.parse(raw)
            if len(entries) != width:
                raise MalformedError(f"{len(entries)} entries, not {width}")
        except MalformedError as error:
            self._fault(path, "entries", index, error.detail)
            return None
        for i, entry in enumerate(entries):
            self._entry(entry, path, index + i)
        return leaf_hashes(entries)

    def _stored(self, path: str, raw: bytes | None, width: int, index: int, *, telling: bool) -> Hashes | None:
        """The hashes of a level-0 tile; the unfinished one was judged with the checkpoint (levels.py)."""
        if raw is None or len(raw) != width * 32:
            if telling and raw is None:
                self._fault(path, "missing", index, "the file is not there")
            elif telling:
                self._fault(path, "tile", index, "the wrong length")
            return None
        return [raw[i : i + 32] for i in range(0, len(raw), 32)]

    def _entry(self, raw: bytes, path: str, index: int) -> None:
        try:
            entry = parse_entry(raw)
            if not self._at_home(entry, index):
                self._fault(path, "entries", index, "the entry is of another place")
            if entry.kind is Kind.LARGE:
                self._large(entry, index)
            self._claims += [(f"{self._span.shard}/{path}", index, claim) for claim in claims(entry)]
        except MalformedError as error:
            self._fault(path, "entries", index, error.detail)

    def _at_home(self, entry: Entry, index: int) -> bool:
        offset = entry.place.offset if self._span.base is None else self._span.base + index
        return (entry.place.topic, entry.place.partition, entry.place.offset) == (*self._place, offset)

    def _large(self, entry: Entry, index: int) -> None:
        """The file beside the log has the hash and length that the entry says, and is itself an entry of this place."""
        path = f"large/{entry.body[:32].hex()}"
        try:
            raw = self._files.get(f"{self._span.shard}/{path}")
        except GONE:
            return self._fault(path, "missing", index, "the file is not there")
        if sha256(raw).digest() != entry.body[:32] or len(raw) != int.from_bytes(entry.body[32:], "big"):
            return self._fault(path, "large", index, "not what its hash says")
        try:
            inner = parse_entry(raw)
        except MalformedError as error:
            return self._fault(path, "large", index, error.detail)
        if inner.kind not in (Kind.RECORD, Kind.SEALED) or inner.place != entry.place:
            self._fault(path, "large", index, "the entry is of another place or kind")

    def _compare(self, n: int, width: int, derived: Hashes | None, stored: Hashes | None, right: bytes | None) -> None:
        """Every hash that differs from those that lead to the signed root, on whichever side."""
        bundle, tile, index = paths.bundle(n, width), paths.tile(0, n, width), n * paths.WIDTH
        if width < paths.WIDTH:  # the tail: its tile was judged with the checkpoint
            leaves: Sequence[bytes] | None = self._span.tail
        else:
            leaves = None if right is None else chosen(candidates([derived, stored]), lambda made: root_of(made) == right)
        if leaves is None:
            self._undecided(n, width, derived, stored, right is not None)
            return
        for path, kind, have in ((bundle, "entries", derived), (tile, "tile", stored if width == paths.WIDTH else None)):
            for i in _apart(have, leaves):
                self._unsigned(path, kind, index + i)

    def _undecided(self, n: int, width: int, derived: Hashes | None, stored: Hashes | None, known: bool) -> None:
        """No choice leads to the signed root (`known`), or what it should lead to is not known."""
        if known or (derived is not None and stored is not None and derived != stored):
            detail = NEITHER if known else "entries and tile differ, and nothing that is signed says which is right"
            for path, kind, have in ((paths.bundle(n, width), "entries", derived), (paths.tile(0, n, width), "tile", stored)):
                if have is not None:
                    self._fault(path, kind, n * paths.WIDTH, detail)

    def _unsigned(self, path: str, kind: str, index: int) -> None:
        file = f"{self._span.shard}/{path}"
        if not any(f.index == index and f.file == file for f in reversed(self._faults[-2 * paths.WIDTH :])):
            self._faults.append(Fault(file, kind, index, "not what the signed root covers"))  # a broken entry is named once

    def _fault(self, path: str, kind: str, index: int, detail: str) -> None:
        self._faults.append(Fault(f"{self._span.shard}/{path}", kind, index, detail))


def _apart(have: Sequence[bytes] | None, right: Sequence[bytes]) -> Iterator[int]:
    return (i for i, (a, b) in enumerate(zip(have or (), right, strict=False)) if a != b)
