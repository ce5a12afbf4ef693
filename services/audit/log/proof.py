"""Inclusion and consistency proofs (RFC 6962 sections 2.1.1 and 2.1.2) from tiles."""

from services.audit.log.tiles import Nodes
from shared.errors import InvariantError


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (> 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion(nodes: Nodes, index: int) -> list[bytes]:
    """The path from leaf `index` to the root, sibling of the leaf first."""
    if not 0 <= index < nodes.size:
        raise InvariantError("the index is outside the tree")
    path: list[bytes] = []
    start, end = 0, nodes.size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(nodes.range(middle, end))
            end = middle
        else:
            path.append(nodes.range(start, middle))
            start = middle
    return path[::-1]


def consistency(nodes: Nodes, old: int) -> list[bytes]:
    """The proof that the tree's first `old` leaves are an earlier tree of this log."""
    if not 0 < old <= nodes.size:
        raise InvariantError("the older size is not one of this tree's")

    def part(old: int, start: int, end: int, complete: bool) -> list[bytes]:
        if old == end - start:
            return [] if complete else [nodes.range(start, end)]
        k = _split(end - start)
        if old <= k:
            return [*part(old, start, start + k, complete), nodes.range(start + k, end)]
        return [*part(old - k, start + k, end, False), nodes.range(start, start + k)]

    return part(old, 0, nodes.size, True)
