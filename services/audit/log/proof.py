"""Inclusion and consistency proofs (RFC 6962 sections 2.1.1 and 2.1.2) from tiles."""

from collections.abc import Sequence

from services.audit.log.tiles import Nodes
from services.audit.log.tree import EMPTY_ROOT, node_hash
from shared.errors import InvariantError, TamperError


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


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Nothing, or TamperError: `path` proves that the `new` tree begins with the `old` one (RFC 9162 section 2.1.4.2).

    1. From the empty tree, or between equal sizes, the path is empty. 2. Else the path is walked up from where the old
    tree's right edge meets the new one, making both roots. 3. It ends at the top, and both roots are those that were said.
    """
    if old > new:
        raise TamperError("consistency: the tree has shrunk")
    if old == 0 or old == new:  # 1
        if path or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise TamperError("consistency: the trees differ, or the proof is not empty")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    if not steps:
        raise TamperError("consistency: no proof")
    left = right = steps[0]
    for step in steps[1:]:  # 2
        if last == 0:
            raise TamperError("consistency: the proof is too long")
        if first & 1 or first == last:
            left, right = node_hash(step, left), node_hash(step, right)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            right = node_hash(right, step)
        first, last = first >> 1, last >> 1
    if last or left != old_root or right != new_root:  # 3
        raise TamperError("consistency: the proof does not lead to both roots")
