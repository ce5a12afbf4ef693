"""From the signed root downwards: which tiles are right, and which hashes are wrong where they are not.

The checkpoint signs the root; the unfinished tiles at the right edge lead to it; every full tile has its hash one level up. So
each tile is judged by a hash that is known to be right already, whatever its size the log never waits in memory, and a damaged
file never leaves it in doubt who is wrong: what the tile says and what lies under it are tried until they lead to that hash.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product

from services.audit.log import bundles, paths
from services.audit.log.found import Fault
from services.audit.log.sources import GONE, Files
from services.audit.log.tiles import Edge
from services.audit.log.tree import leaf_hashes, root_of
from shared.errors import MalformedError

Hashes = list[bytes]
TRIES_MAX = 4096  # of ways to choose between sides that differ: 12 differences in one tile
NOT_SIGNED = "not what the signed root covers"


def candidates(sides: Sequence[Sequence[bytes | None] | None]) -> list[list[bytes]]:
    """Per item what the sides say, each value once, the first side's first."""
    there = [side for side in sides if side is not None]
    return [list(dict.fromkeys(one for one in said if one is not None)) for said in zip(*there, strict=True)]


def chosen(said: Sequence[Sequence[bytes]], fits: Callable[[Hashes], bool]) -> Hashes | None:
    """The one choice that fits, whole sides before mixtures; None if none does within TRIES_MAX."""
    if not all(said):
        return None
    for turn in range(max(map(len, said), default=0)):
        whole = [one[min(turn, len(one) - 1)] for one in said]
        if fits(whole):
            return whole
    apart = [one if len(one) > 1 else one[:1] for one in said]
    return next((list(made) for made in islice(product(*apart), TRIES_MAX) if fits(list(made))), None)


class Reader:
    """The tiles of a shard of `size` leaves. What cannot be read is a fault, named once."""

    def __init__(self, files: Files, shard: str, size: int) -> None:
        self._files = files
        self._shard = shard
        self.size = size
        self.faults: list[Fault] = []
        self._tail: Hashes | None = None

    def width(self, level: int, n: int) -> int:
        count: int = self.size // paths.WIDTH**level
        return min(paths.WIDTH, count - n * paths.WIDTH)

    def stored(self, level: int, n: int, *, telling: bool = True) -> Hashes | None:
        """What the tile says; None where it is missing or cut."""
        width = self.width(level, n)
        path, index = paths.tile(level, n, width), n * paths.WIDTH ** (level + 1)
        try:
            raw = self._files.get(f"{self._shard}/{path}")
        except GONE:
            if telling:
                self.fault(path, "missing", index, "the file is not there")
            return None
        if len(raw) != width * 32:
            if telling:
                self.fault(path, "tile", index, "the wrong length")
            return None
        return [raw[i : i + 32] for i in range(0, len(raw), 32)]

    def leaves(self, n: int) -> Hashes | None:
        """The leaf hashes of a bundle, read for a comparison: its own faults are named elsewhere."""
        width = self.width(0, n)
        try:
            entries = bundles.parse(self._files.get(f"{self._shard}/{paths.bundle(n, width)}"))
        except (*GONE, MalformedError):
            return None
        return leaf_hashes(entries) if len(entries) == width else None

    def leaf(self, index: int) -> bytes | None:
        """The hash of entry `index` of the last bundle, which is read once."""
        if self._tail is None:
            self._tail = self.leaves(index // paths.WIDTH) or []
        return self._tail[index % paths.WIDTH] if self._tail else None

    def under(self, level: int, n: int, depth: int) -> bytes | None:
        """The root of the full tile (level, n) as the tiles `depth` levels lower say it; below level 0 the entries say."""
        if level == 0:
            items: Sequence[bytes | None] | None = self.stored(0, n, telling=False) if depth == 0 else self.leaves(n)
        elif depth == 0:
            items = self.stored(level, n, telling=False)
        else:
            items = [self.under(level - 1, n * paths.WIDTH + i, depth - 1) for i in range(paths.WIDTH)]
        return None if items is None or None in items else root_of([one for one in items if one is not None])

    def fault(self, path: str, kind: str, index: int, detail: str) -> None:
        self.faults.append(Fault(f"{self._shard}/{path}", kind, index, detail))

    def wrong(self, level: int, n: int, stored: Hashes | None, right: Sequence[bytes]) -> None:
        """Name every item of a tile that differs from the right one."""
        for i, (have, good) in enumerate(zip(stored or (), right, strict=False)):
            if have != good:
                index = (n * paths.WIDTH + i) * paths.WIDTH**level
                self.fault(paths.tile(level, n, self.width(level, n)), "tile", index, NOT_SIGNED)


def tile_right(reader: Reader, level: int, n: int, right: bytes | None) -> Hashes | None:
    """The items of the full tile (level >= 1, n) whose root is `right`; its faults are named. None: not to be had."""
    stored = reader.stored(level, n)
    if right is None or (stored is not None and root_of(stored) == right):
        return stored if right is not None else None
    items = _resolved(reader, [(level, n)], [stored], lambda made: root_of(made) == right)
    if items is None:
        if stored is not None:
            reader.fault(paths.tile(level, n), "tile", n * paths.WIDTH ** (level + 1), "neither it nor what lies under it "
                         "leads to the signed root")  # fmt: skip
        return None
    reader.wrong(level, n, stored, items)
    return items


def _resolved(
    reader: Reader, tiles: Sequence[tuple[int, int]], stored: Sequence[Hashes | None], fits: Callable[[Hashes], bool]
) -> Hashes | None:
    """The right items of some tiles, in a row: what they say, else what is found ever deeper under them."""
    places = [(level, n * paths.WIDTH + i) for level, n in tiles for i in range(reader.width(level, n))]
    said: list[list[bytes]] = [
        [] if items is None else [items[i]]
        for (level, n), items in zip(tiles, stored, strict=True)
        for i in range(reader.width(level, n))
    ]
    for depth in range(max((level for level, _ in tiles), default=0) + 1):
        for (level, at), one in zip(places, said, strict=True):
            if len(one) != 1 or depth == 0:  # once two sides agree on an item, nothing deeper is asked
                _hear(one, reader.leaf(at) if level == 0 else reader.under(level - 1, at, depth))
        found = chosen(said, fits)
        if found is not None:
            return found
    return None


def _hear(said: list[bytes], more: bytes | None) -> None:
    if more is not None and more not in said:
        said.append(more)


class Top:
    """The part of a shard above its spans, under the signed `root`."""

    def __init__(self, files: Files, shard: str, size: int, root: bytes) -> None:
        self.reader = Reader(files, shard, size)
        self._root = root
        self.edges: list[Hashes | None] = []  # per level the right items of the unfinished tile; None: not to be had
        self._settle()

    @property
    def faults(self) -> list[Fault]:
        return self.reader.faults

    def _settle(self) -> None:
        """The unfinished tiles lead to the signed root, or what is wrong in them is found and named."""
        widths = paths.widths(self.reader.size)
        tiles = [(level, full) for level, full, width in widths if width]
        stored = {level: self.reader.stored(level, n) for level, n in tiles}

        def cut(items: Hashes) -> list[Hashes]:
            left = iter(items)
            return [list(islice(left, width)) for _, _, width in widths]

        def fits(items: Hashes) -> bool:
            edge = Edge(self.reader.size)
            edge.levels = cut(items)
            return edge.root() == self._root

        whole = [item for level, _ in tiles for item in stored[level] or ()]
        intact = all(items is not None for items in stored.values())
        right = whole if intact and fits(whole) else _resolved(self.reader, tiles, [stored[level] for level, _ in tiles], fits)
        if right is None:
            self.reader.fault(paths.CHECKPOINT, "checkpoint", -1, "neither entries nor tiles lead to the signed root")
            self.edges = [None] * len(widths)
            return
        self.edges = list(cut(right))
        for level, n in tiles:
            self.reader.wrong(level, n, stored[level], self.edges[level] or ())

    def spans(self) -> Iterator[bytes | None]:
        """The right hash of each full level-1 tile, in order."""
        for level, full, width in reversed(paths.widths(self.reader.size)):
            if level >= 2:
                items = self.edges[level]
                for i in range(width):
                    yield from self._under(level, full * paths.WIDTH + i, None if items is None else items[i])

    def _under(self, level: int, at: int, right: bytes | None) -> Iterator[bytes | None]:
        """Item `at` of `level` is the hash of the full tile (level - 1, at): go down to level 1."""
        if level == 2:
            yield right
            return
        items = tile_right(self.reader, level - 1, at, right)
        for i in range(paths.WIDTH):
            yield from self._under(level - 1, at * paths.WIDTH + i, None if items is None else items[i])
