"""What the drives of loops have in common: items of which one fails, with what the test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from shared.errors import ConflictError, InvariantError, MalformedError
from shared.loops.aside import InMemory
from shared.loops.items import Items

OURS = [InvariantError, MalformedError, ConflictError]  # not one of them says that a part is away
ERRORS: list[type[Exception]] = [ZeroDivisionError, *OURS]
FAILING = SimpleNamespace(error=ZeroDivisionError)  # what the bad item fails with in the test that runs
MEMORIES: dict[str, InMemory] = {}  # what the loops of that test have set aside


def items(loop: str, *_: object) -> Items:
    return Items(loop, MEMORIES.setdefault(loop, InMemory()))


def fails(bad: str, done: list[str]) -> Callable[..., Awaitable[None]]:
    """What raises for `bad`, wherever that is among what it is called with, and notes who else is done."""

    async def act(*args: object, **_: object) -> None:
        (item,) = [one for one in args if isinstance(one, str)][:1]
        if item == bad:
            raise FAILING.error
        done.append(item)

    return act


async def nothing(*_: object, **__: object) -> None: ...


class Session:
    """Its rows are those that the test names."""

    def __init__(self, rows: list[str]) -> None:
        self._rows = rows

    async def scalars(self, _: object) -> SimpleNamespace:
        return SimpleNamespace(all=lambda: self._rows)


class Door:
    """A door to no database."""

    service = "dsar"

    def __init__(self, rows: list[str]) -> None:
        self._rows = rows

    @asynccontextmanager
    async def begin(self, *_: object) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(session=Session(self._rows), now=InMemory().clock.now())


Patch = pytest.MonkeyPatch
Drive = Callable[[Patch], Awaitable[list[str]]]  # the items that were done: not "bad", and "good", which comes after it
ROWS = ["bad", "good"]


class Record(SimpleNamespace):
    """A record that the client gave us; its place is known."""

    def __init__(self, value: bytes, type_: str, offset: int = 0) -> None:
        headers = {
            "ce_specversion": "1.0", "ce_id": "1", "ce_type": type_, "ce_source": "/x", "ce_actor": "system:x",
            "ce_time": "2026-01-02T03:04:05Z", "content-type": "application/json",
        }  # fmt: skip
        pairs = tuple((name, one.encode()) for name, one in headers.items())
        super().__init__(topic="t", partition=0, offset=offset, key=b"k", value=value, headers=pairs)
