"""Which hashes lead to the signed root, where tiles and entries disagree. Pure.

Each full bundle has up to three witnesses: the root of its entries' leaf hashes, the root of its level-0 tile, and its place in
the level-1 tile. The signed root says who is right; a single damaged file never leaves it in doubt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from services.audit.log import paths
from services.audit.log.tiles import Edge
from services.audit.log.tree import root_of

Hashes = list[bytes]


@dataclass
class Witnesses:
    """Per full bundle what each side says, None where its file cannot be read; and both sides of the unfinished last one."""

    derived: list[bytes | None] = field(default_factory=list)
    stored: list[bytes | None] = field(default_factory=list)
    above: list[bytes | None] = field(default_factory=list)
    tail_derived: Hashes | None = None
    tail_stored: Hashes | None = None

    def add(self, derived: Hashes | None, stored: Hashes | None, width: int) -> None:
        """What the next bundle's entries and tile say."""
        if width < paths.WIDTH:
            self.tail_derived, self.tail_stored = derived, stored
        else:
            self.derived.append(None if derived is None else root_of(derived))
            self.stored.append(None if stored is None else root_of(stored))


@dataclass(frozen=True)
class Right:
    """The hashes that lead to the signed root: `levels[0]` is the unfinished last bundle's leaves, the rest is whole."""

    levels: tuple[Hashes, ...]


def resolve(said: Witnesses, root: bytes) -> Right | None:
    """Who is right, or None where nothing that is there leads to the signed root."""
    tails = [t for t in (said.tail_derived, said.tail_stored) if t is not None] or [[]]
    for ones, tail in product(_choices(said), tails):
        levels = _levels(ones, tail)
        edge = Edge()
        edge.levels = [levels[0], *(h[len(h) - len(h) % paths.WIDTH :] for h in levels[1:])]
        if edge.root() == root:
            return Right(tuple(levels))
    return None


def _choices(said: Witnesses) -> Iterator[Hashes]:
    triples = list(zip(said.derived, said.stored, said.above, strict=True))
    for order in ((2, 0, 1), (0, 1, 2), (1, 0, 2)):
        whole = [_first(triple, order) for triple in triples]
        found = [one for one in whole if one is not None]
        if len(found) == len(whole):
            yield found
    majority = [_agreed(triple) for triple in triples]  # several files are damaged, in different places
    found = [one for one in majority if one is not None]
    if len(found) == len(majority):
        yield found


def _first(triple: Sequence[bytes | None], order: Sequence[int]) -> bytes | None:
    return next((triple[i] for i in order if triple[i] is not None), None)


def _agreed(triple: Sequence[bytes | None]) -> bytes | None:
    there = [one for one in triple if one is not None]
    return max(there, key=there.count) if there else None


def _levels(ones: Hashes, tail: Hashes) -> list[Hashes]:
    levels = [tail, ones] if ones else [tail]
    while len(levels[-1]) >= paths.WIDTH and len(levels) > 1:
        below = levels[-1]
        levels.append([root_of(below[i : i + paths.WIDTH]) for i in range(0, len(below) - paths.WIDTH + 1, paths.WIDTH)])
    return levels
