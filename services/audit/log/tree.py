"""Merkle tree hashing: RFC 6962 section 2.1."""

from collections.abc import Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
PAIR = 64  # two hashes
# A copy of what has begun is quicker than a new one, which looks the algorithm up by its name.
_LEAF, _NODE = sha256(b"\x00"), sha256(b"\x01")


def leaf_hash(entry: bytes) -> bytes:
    return leaf_hashes([entry])[0]


def leaf_hashes(entries: Sequence[bytes]) -> list[bytes]:
    found = []
    for entry in entries:
        digest = _LEAF.copy()
        digest.update(entry)
        found.append(digest.digest())
    return found


def node_hash(left: bytes, right: bytes) -> bytes:
    return _node_hashes(left + right)[0]


def _node_hashes(level: bytes) -> list[bytes]:
    """Of each pair that `level` is made of; a lone last one is left out."""
    found = []
    for at in range(0, len(level) - PAIR + 1, PAIR):
        digest = _NODE.copy()
        digest.update(level[at : at + PAIR])
        found.append(digest.digest())
    return found


def root_of(hashes: Sequence[bytes]) -> bytes:
    """MTH over already hashed leaves (or over equal perfect subtrees, with a shorter one last)."""
    return root_of_joined(b"".join(hashes)) if hashes else EMPTY_ROOT


def root_of_joined(level: bytes) -> bytes:
    """`root_of` the hashes that `level` is made of, one after the other, at least one: as they lie in a tile."""
    while len(level) >= PAIR:
        # A lone last node rises as it is: the same tree as RFC 6962's split at the largest power of two.
        paired = _node_hashes(level)
        if len(level) % PAIR:
            paired.append(level[-PAIR // 2 :])
        level = b"".join(paired)
    return level
