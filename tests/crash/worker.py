"""An owner of the shard as a process of its own, which may be killed, stopped, or given faulty system calls.

Started by multiprocessing's fork server, which has imported everything: a new owner costs milliseconds.
"""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.audit.base import TABLES
from services.audit.log.head import Heads, HeadState, Move
from services.audit.log.shard import Shard
from services.audit.log.tree import EMPTY_ROOT
from shared.access.decide import Policies
from shared.blobs import PosixStore
from shared.clock import SystemClock
from shared.db import make_engine, make_sessions
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.work import Door
from tests.support.logs import BASE, START, TOPIC, grow, open_shard
from tests.unit.services.audit.log.naive import MemoryHeads

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["__main__", "tests.crash.worker"])  # the first: else each child imports pytest


async def own(heads: Heads, root: Path, goal: int, step: int, tries: int = 1, pipe: Connection | None = None) -> None:
    """Open the shard and append until it has `goal` records. With a pipe: says "open", and waits for a word to go on."""

    async def opened() -> Shard:
        return await open_shard(PosixStore(root), heads, await heads.start(TOPIC, 0, 1, BASE))

    if pipe is not None:
        await opened()  # so that what follows is the append's own: code is loaded, connections are there
        pipe.send("open")
        pipe.recv()
    await grow(opened, goal, step, tries)


async def _owns(url: str, root: Path, goal: int, step: int, tries: int, pipe: Connection) -> None:
    async with database(url) as found:
        await own(found.heads, root, goal, step, tries, pipe)


def _main(url: str, root: Path, goal: int, step: int, tries: int, pipe: Connection) -> None:
    asyncio.run(_owns(url, root, goal, step, tries, pipe))


@dataclass(frozen=True)
class Database:
    """Audit's database: its address for other processes, and the heads in it for this one."""

    url: str
    heads: Heads
    engine: AsyncEngine

    async def begin(self, size: int = 0, root: bytes = EMPTY_ROOT) -> None:
        """The shard is the only one that there ever was, and has this head."""
        async with self.engine.begin() as connection:
            await connection.execute(text("TRUNCATE heads CASCADE"))
        await self.heads.start(TOPIC, 0, 1, BASE)
        if size:
            await self.heads.move(START, size, root)


@asynccontextmanager
async def database(url: str) -> AsyncIterator[Database]:
    """No sealing key is ever asked for here, so there is no Vault."""
    engine = make_engine(make_url(url))
    keyring = Keyring("audit", cast(Vault, None), TABLES)
    try:
        yield Database(url, Heads(Door("audit", make_sessions(engine), SystemClock(), Policies.load(), keyring)), engine)
    finally:
        await engine.dispose()


@contextmanager
def started(main: Callable[..., None], *arguments: object) -> Iterator[tuple[BaseProcess, Connection]]:
    """A process of `main(*arguments, pipe)` that has said "open" and waits for a word. It is gone afterwards."""
    here, there = _processes.Pipe()
    process = _processes.Process(target=main, args=(*arguments, there), daemon=True)
    process.start()
    there.close()
    try:
        assert here.poll(30), "the owner did not open the shard within 30 s"
        assert here.recv() == "open"
        yield process, here
    finally:
        process.kill()
        process.join(30)
        here.close()


def owner(url: str, root: Path, goal: int, step: int, tries: int = 1) -> AbstractContextManager[tuple[BaseProcess, Connection]]:
    """An owner that has opened the shard and waits for a word."""
    return started(_main, url, root, goal, step, tries)


def main_alone(root: Path, head: HeadState, goal: int, pipe: Connection) -> None:
    """An owner without PostgreSQL: a trace shows where the head moves as a try to delete `head_mark(head)`."""
    asyncio.run(_alone(root, MarkingHeads(head), goal, pipe))


async def _alone(root: Path, heads: MemoryHeads, goal: int, pipe: Connection) -> None:
    async def opened() -> Shard:
        return await open_shard(PosixStore(root), heads)

    await opened()
    pipe.send("open")
    pipe.recv()
    await grow(opened, goal, goal)


def head_mark(head: HeadState) -> str:
    return f"/no/such/head/{head.size}/{head.root.hex()}"


class MarkingHeads(MemoryHeads):
    async def move_all(self, moves: Sequence[Move]) -> dict[str, HeadState]:
        moved = await super().move_all(moves)
        for head in moved.values():
            with suppress(FileNotFoundError):
                os.unlink(head_mark(head))  # noqa: PTH108  (a system call that the trace shows)
        return moved
