"""The recursive tree as RFC 6962 section 2.1 writes it, and the stores and heads of a test."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from services.audit.log.head import HeadState, Move
from shared.errors import ConflictError, NotFoundError, TamperError


def _split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: list[bytes]) -> bytes:
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = _split(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = _split(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], b: bool = True) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = _split(len(d))
    return [*subproof(m, d[:k], b), mth(d[k:])] if m <= k else [*subproof(m - k, d[k:], False), mth(d[:k])]


class Memory:
    """A blob store in a dict, by the contract of shared/blobs. `fail_at`: that write raises, `done` or not."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.writes = 0
        self.fail_at = -1
        self.done = False

    def _write(self, name: str, data: bytes) -> None:
        self.writes += 1
        failing = self.writes == self.fail_at
        if not failing or self.done:
            self.files[name] = data
        if failing:
            raise OSError("the disk is gone")

    def put_new(self, path: str, data: bytes) -> None:
        if path in self.files:
            raise ConflictError("the name is taken")
        self._write(path, data)

    def put_same(self, path: str, data: bytes) -> None:
        if path not in self.files:
            self._write(path, data)
        elif self.files[path] != data:
            raise TamperError(f"{path} holds other bytes")

    def put_all_same(self, files: Iterable[tuple[str, bytes]]) -> None:
        for path, data in files:
            self.put_same(path, data)

    def replace(self, path: str, data: bytes) -> None:
        self._write(path, data)

    def replace_if(self, path: str, data: bytes, old: bytes | None) -> None:
        if self.files.get(path) != old:
            raise ConflictError("the name moved meanwhile")
        self._write(path, data)

    def get(self, path: str) -> bytes:
        if path not in self.files:
            raise NotFoundError("no such blob")
        return self.files[path]

    def list(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(n for n in self.files if n.startswith(prefix)))


class MemoryHeads:
    """The compare-and-swap of head.py, without PostgreSQL."""

    def __init__(self, state: HeadState) -> None:
        self.state = state

    async def move(self, old: HeadState, size: int, root: bytes) -> HeadState:
        moved = await self.move_all([Move(old, size, root)])
        if not moved:
            raise ConflictError("another owner moved the head")
        return moved[old.shard]

    async def move_all(self, moves: Sequence[Move]) -> dict[str, HeadState]:
        (move,) = moves
        old = move.old
        if (old.size, old.root) != (self.state.size, self.state.root):
            return {}
        self.state = HeadState(old.shard, old.generation, old.base, move.size, move.root)
        return {old.shard: self.state}
