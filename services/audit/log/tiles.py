"""The growing right edge of a tree, as tiles. Pure: it returns what is to be written."""

from collections.abc import Callable, Iterator, Sequence

from services.audit.log import bundles, paths
from services.audit.log.tree import leaf_hashes, node_hash, root_of, root_of_joined
from shared.errors import TamperError

HASH = 32
Get = Callable[[str], bytes]


class Edge:
    """The unfinished tiles of a tree of `size` leaves: at each level fewer than 256 hashes, and the last entries."""

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self.levels: list[list[bytes]] = []
        self.entries: list[bytes] = []

    def append(self, entries: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
        """Add entries; yields (path, bytes) of every bundle and tile that became full, bundles before their tiles."""
        at = 0
        while at < len(entries):
            some = entries[at : at + paths.WIDTH - len(self.entries)]
            at += len(some)
            self.size += len(some)
            self.entries += some
            if len(self.entries) == paths.WIDTH:
                yield paths.bundle(self.size // paths.WIDTH - 1), bundles.encode(self.entries)
                self.entries = []
            yield from self._push(0, leaf_hashes(some), self.size)

    def _push(self, level: int, values: Sequence[bytes], count: int) -> Iterator[tuple[str, bytes]]:
        """Add hashes to the last tile of a level, which has room for them; the level then has `count`."""
        if level == len(self.levels):
            self.levels.append([])
        hashes = self.levels[level]
        hashes += values
        if len(hashes) == paths.WIDTH:
            tile = b"".join(hashes)
            self.levels[level] = []
            yield paths.tile(level, count // paths.WIDTH - 1), tile
            yield from self._push(level + 1, [root_of_joined(tile)], count // paths.WIDTH)

    def partials(self) -> Iterator[tuple[str, bytes]]:
        """The partial bundle and tiles of the present size, the bundle first."""
        if self.entries:
            yield paths.bundle(self.size // paths.WIDTH, len(self.entries)), bundles.encode(self.entries)
        for level, full, width in paths.widths(self.size):
            if width:
                yield paths.tile(level, full, width), b"".join(self.levels[level])

    def root(self) -> bytes:
        """The root of the present tree, from the edge alone."""
        acc: bytes | None = None
        for hashes in self.levels:
            # Every hash of a level stands for a perfect subtree left of all that lower levels hold.
            acc = _fold(hashes, acc)
        return acc if acc is not None else root_of([])


def _fold(hashes: Sequence[bytes], tail: bytes | None) -> bytes | None:
    """The root over perfect subtrees `hashes` (one level) followed by `tail` (what is right of them), fewer than 256."""
    stack: list[tuple[int, bytes]] = []
    for value in hashes:
        rank, node = 0, value
        while stack and stack[-1][0] == rank:
            node, rank = node_hash(stack.pop()[1], node), rank + 1
        stack.append((rank, node))
    acc = tail
    while stack:
        node = stack.pop()[1]
        acc = node if acc is None else node_hash(node, acc)
    return acc


def load_edge(get: Get, size: int) -> Edge:
    """The edge of a tree of `size` leaves, read from the store. TamperError where a file has the wrong length."""
    edge = Edge(size)
    for level, full, width in paths.widths(size):
        raw = get(paths.tile(level, full, width)) if width else b""
        if len(raw) != width * HASH:
            raise TamperError(f"tile {paths.tile(level, full, width)} has the wrong length")
        edge.levels.append([raw[i : i + HASH] for i in range(0, len(raw), HASH)])
    if size % paths.WIDTH:
        edge.entries = bundles.parse(get(paths.bundle(size // paths.WIDTH, size % paths.WIDTH)))
    return edge


class Nodes:
    """Reads any complete subtree's hash of a tree of `size` leaves from its tiles. `get` should cache."""

    def __init__(self, get: Get, size: int) -> None:
        self._get = get
        self.size = size

    def _tile(self, level: int, n: int) -> list[bytes]:
        count = self.size // paths.WIDTH**level
        width = min(paths.WIDTH, count - n * paths.WIDTH)
        raw = self._get(paths.tile(level, n, width))
        if len(raw) != width * HASH:
            raise TamperError(f"tile {paths.tile(level, n, width)} has the wrong length")
        return [raw[i : i + HASH] for i in range(0, len(raw), HASH)]

    def perfect(self, height: int, n: int) -> bytes:
        """MTH of leaves [n·2^height, (n+1)·2^height), all of them in the tree."""
        level, up = divmod(height, 8)
        first = n << up
        return root_of(self._tile(level, first // paths.WIDTH)[first % paths.WIDTH : first % paths.WIDTH + (1 << up)])

    def range(self, start: int, end: int) -> bytes:
        """MTH of leaves [start, end), where `start` is a multiple of the largest power of two below the range's length."""
        count = end - start
        height = count.bit_length() - 1
        if count == 1 << height:
            return self.perfect(height, start >> height)
        middle = start + (1 << height)
        return node_hash(self.perfect(height, start >> height), self.range(middle, end))
