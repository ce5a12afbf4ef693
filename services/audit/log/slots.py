"""Who writes which partitions: a fixed number of slots, each held by one process at a time.

A slot is an advisory lock of PostgreSQL on a connection of its own, as the relay's: a second process stands by, and takes over
the moment the first one's connection is gone. Being late costs nothing: a process that lost its slot and does not know it
cannot move a head that another has moved (head.py), nor replace a checkpoint that another has replaced (shard.py).
"""

import asyncio
import logging
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.bus.patience import ended, within

log = logging.getLogger("kept.audit.ingest")
LOCK = 4_721  # first half of the advisory lock; the second is the slot
LOOK_SECONDS = 1.0
ANSWER_SECONDS_MAX = 5.0
_TAKE = text("SELECT pg_try_advisory_lock(:lock, :slot)")
_ALIVE = text("SELECT 1")


@dataclass(frozen=True)
class Slot:
    """Slot `number` of `of`."""

    number: int = 0
    of: int = 1

    def has(self, partition: TopicPartition) -> bool:
        """Whether this partition is read here. The partitions of one topic spread evenly."""
        share: int = (zlib.crc32(partition.topic.encode()) + partition.partition) % self.of
        return share == self.number


WHOLE = Slot()
SCRUB = Slot(number=-1)  # no partitions: who has it verifies the log


class Owner:
    """Does `work` while it holds the slot. `waits`: another process holds it."""

    def __init__(self, engine: AsyncEngine, slot: Slot, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._engine = engine
        self._slot = slot
        self._work = work
        self.waits = False

    async def run(self) -> None:
        while True:
            try:
                async with self._engine.connect() as connection:
                    held = await connection.execution_options(isolation_level="AUTOCOMMIT")
                    try:
                        await self._taken(held)
                        await self._worked(held)
                    finally:
                        await ended(connection.invalidate())  # closed, not returned to the pool: the lock goes with it
            except (SQLAlchemyError, OSError) as error:
                log.warning("the slot waits: %s", type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _taken(self, connection: AsyncConnection) -> None:
        while not await connection.scalar(_TAKE, {"lock": LOCK, "slot": self._slot.number}):
            self.waits = True
            await asyncio.sleep(LOOK_SECONDS)
        self.waits = False

    async def _worked(self, connection: AsyncConnection) -> None:
        task = asyncio.ensure_future(self._work())
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=LOOK_SECONDS)
                await within(ANSWER_SECONDS_MAX, connection.execute(_ALIVE))
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=ANSWER_SECONDS_MAX)
