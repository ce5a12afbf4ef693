"""Merkle tree hashing: RFC 6962 section 2.1."""

from collections.abc import Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
PAIR = 64  # two hashes


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Sequence[bytes]) -> list[bytes]:
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """MTH over already hashed leaves (or over equal perfect subtrees, with a shorter one last)."""
    return root_of_joined(b"".join(hashes)) if hashes else EMPTY_ROOT


def root_of_joined(level: bytes) -> bytes:
    """`root_of` the hashes that `level` is made of, one after the other, at least one: as they lie in a tile."""
    while len(level) >= PAIR:
        # A lone last node rises as it is: the same tree as RFC 6962's split at the largest power of two.
        paired = [sha256(b"\x01" + level[i : i + PAIR]).digest() for i in range(0, len(level) - PAIR + 1, PAIR)]
        if len(level) % PAIR:
            paired.append(level[-PAIR // 2 :])
        level = b"".join(paired)
    return level
