"""The ledger's claims, checked: shards vouch for one another through the entries that name their checkpoints."""

from collections.abc import Mapping
from functools import lru_cache

from services.audit.log.found import Claim
from services.audit.log.sources import Files
from services.audit.log.tiles import Nodes
from services.audit.log.tree import EMPTY_ROOT
from shared.errors import KeptError

TILES_MAX = 256  # of 8 kB, kept per process: claims in a row ask for the same ones


class Ledger:
    """Checks claims against the shards' tiles, whose checkpoints (size, root) were verified beforehand."""

    def __init__(self, files: Files, checkpoints: Mapping[str, tuple[int, bytes]]) -> None:
        self._checkpoints = checkpoints
        self._tile = lru_cache(TILES_MAX)(files.get)
        self._roots = lru_cache(TILES_MAX)(self._root)

    def fault(self, claim: Claim) -> str | None:
        """What is wrong with a claim, or None."""
        if claim.shard not in self._checkpoints:
            return f"the ledger knows {claim.shard}, and the log does not list it"
        size, root = self._checkpoints[claim.shard]
        if claim.size > size:
            return f"the ledger saw {claim.shard} with {claim.size} entries; now it has {size}"
        try:
            found = root if claim.size == size else self._roots(claim.shard, claim.size)
        except KeptError:
            return f"the ledger's root of {claim.shard} at {claim.size} cannot be compared: a tile is missing or cut"
        return None if found == claim.root else f"the ledger saw another {claim.shard} at {claim.size} entries"

    def _root(self, shard: str, size: int) -> bytes:
        nodes = Nodes(lambda path: self._tile(f"{shard}/{path}"), self._checkpoints[shard][0])
        return nodes.range(0, size) if size else EMPTY_ROOT
