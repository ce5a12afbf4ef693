"""A store and heads in which the k-th write fails once: "not persisted", or "persisted" and the answer lost."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from services.audit.log.head import HeadState, Move
from shared.blobs import PosixStore
from shared.errors import UnavailableError
from tests.unit.services.audit.log.naive import MemoryHeads


class Plan:
    """Counts writes; the one numbered `at` fails, after it was done or instead of it."""

    def __init__(self, at: int, persisted: bool) -> None:
        self.at, self.persisted, self.count, self.struck = at, persisted, 0, ""

    def due(self, what: str) -> bool:
        self.count += 1
        if self.count == self.at:
            self.struck = what
        return self.count == self.at


class FaultyStore:
    """By the contract of shared/blobs, on a real directory."""

    def __init__(self, root: Path, plan: Plan) -> None:
        self._inner, self._plan = PosixStore(root), plan

    def put_new(self, path: str, data: bytes) -> None:
        self._either(lambda: self._inner.put_new(path, data), path)

    def put_same(self, path: str, data: bytes) -> None:
        self._either(lambda: self._inner.put_same(path, data), path)

    def replace(self, path: str, data: bytes) -> None:
        self._either(lambda: self._inner.replace(path, data), path)

    def replace_if(self, path: str, data: bytes, old: bytes | None) -> None:
        self._either(lambda: self._inner.replace_if(path, data, old), path)

    def put_all_same(self, files: Iterable[tuple[str, bytes]]) -> None:
        """No order is promised inside a batch: after a failure every second one of the others is there, too."""
        rest = iter(files)
        for path, data in rest:
            if not self._plan.due(path):
                self._inner.put_same(path, data)
                continue
            left = [(path, data), *rest]
            self._inner.put_all_same(left[::2] if self._plan.persisted else left[1::2])
            raise UnavailableError("made to fail")

    def _either(self, write: Callable[[], None], path: str) -> None:
        due = self._plan.due(path)
        if not due or self._plan.persisted:
            write()
        if due:
            raise UnavailableError("made to fail")

    def get(self, path: str) -> bytes:
        return self._inner.get(path)

    def list(self, prefix: str = "") -> Iterator[str]:
        return self._inner.list(prefix)


class FaultyHeads(MemoryHeads):
    """The compare-and-swap, whose answer may be lost after it was committed."""

    def __init__(self, state: HeadState, plan: Plan) -> None:
        super().__init__(state)
        self._plan = plan

    async def move_all(self, moves: Sequence[Move]) -> dict[str, HeadState]:
        due = self._plan.due("head")
        moved = await super().move_all(moves) if not due or self._plan.persisted else {}
        if due:
            raise UnavailableError("made to fail")
        return moved
