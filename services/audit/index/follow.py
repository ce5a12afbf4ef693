"""Keeps the index behind the published log: a batch of bundles and its position in one transaction.

A crash anywhere costs nothing: what was not committed is read again. Two followers take turns at the position's lock.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from sqlalchemy import select

from services.audit.events import AlarmRaised
from services.audit.index import load, read
from services.audit.index.tables import LIVE, NEXT
from services.audit.log.head import SYSTEM
from services.audit.log.store import ShardStore
from services.audit.log.tables import Head
from shared.blobs import BlobStore
from shared.errors import KeptError, TamperError
from shared.work import Door

log = logging.getLogger("kept.audit.index")
FLOOR_SECONDS = 1.0
AGAIN_SECONDS = 60.0  # a shard whose files were changed is looked at again: it may have been mended from a copy
Moved = Callable[[str, int, int], None]


class Follower:
    """`run()` for ever; `wake()` after each publication."""

    def __init__(self, blobs: BlobStore, door: Door, checkpoints: read.Checkpoints, schema: str = LIVE) -> None:
        self._blobs = blobs
        self._door = door
        self._checkpoints = checkpoints
        self._schema = schema
        self._news = asyncio.Event()
        self._rest: dict[str, float] = {}
        self.at: dict[str, int] = {}  # shard -> how far it is indexed, as far as this process knows
        self.behind: dict[str, int] = {}  # shard -> published entries that are not in the index yet
        self.faults: dict[str, str] = {}  # shard -> what is wrong with its files

    def wake(self) -> None:
        self._news.set()

    async def run(self) -> None:
        while True:
            try:
                await self.catch_up()
            except KeptError as error:
                log.warning("the index waits: %s", error.code)
            except Exception:  # our own bug must not end the index in silence: it is told, and tried again
                log.exception("the index failed")
            self._news.clear()
            try:
                async with asyncio.timeout(FLOOR_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def catch_up(self, moved: Moved | None = None) -> int:
        """Index everything published so far, one batch of each shard in turn; returns how many entries were new.

        `moved(shard, position, size)` after each batch. A shard whose files were changed is left where it is (`faults`)."""
        shards = await asyncio.to_thread(read.shards, self._blobs)
        waiting = {shard: ShardStore(self._blobs, shard) for shard in shards if self._rest.get(shard, 0) <= time.monotonic()}
        ends: dict[str, read.Published] = {}
        done = 0
        while waiting:
            for shard, store in tuple(waiting.items()):
                try:
                    if shard not in ends:
                        ends[shard] = await self._checkpoints.newest(store)
                    done += await self._step(store, ends[shard])
                except TamperError as error:
                    await self._stop(shard, error)
                    del waiting[shard]
                    continue
                self.faults.pop(shard, None)
                if moved:
                    moved(shard, self.at[shard], ends[shard].size)
                if not self.behind[shard]:
                    del waiting[shard]
        return done

    async def _step(self, store: ShardStore, end: read.Published) -> int:
        """One batch of a shard; how many entries were new."""
        count = 0
        if self.at.get(store.shard, -1) < end.size:
            # A batch that is begun is finished, or dies with the process: a COPY that is cancelled half-way may wait for ever.
            count = await asyncio.shield(asyncio.ensure_future(self._batch(store, end)))
        self.behind[store.shard] = max(0, end.size - self.at[store.shard])
        return count

    async def _batch(self, store: ShardStore, end: read.Published) -> int:
        async with self._door.begin(SYSTEM) as w:
            at, count = await load.position(w, self._schema, store.shard), 0
            if at < end.size:
                batch = await asyncio.to_thread(read.read, store, end, at)
                await load.store(w, self._schema, batch)
                at, count = batch.end, len(batch.facts)
        self.at[store.shard] = at
        return count

    async def _stop(self, shard: str, error: TamperError) -> None:
        """Nothing of it is indexed until its files are whole again; the others go on. Told once, to people and in an event."""
        known = shard in self.faults
        self.faults[shard] = error.detail
        self._rest[shard] = time.monotonic() + AGAIN_SECONDS
        if known or self._schema == NEXT:  # a rebuild says so itself
            return
        log.critical("%s", error.detail)
        async with self._door.begin(SYSTEM) as w:
            base = await w.session.scalar(select(Head.base).where(Head.shard == shard)) or 0
            offset = base + self.at.get(shard, 0)
            w.publish(AlarmRaised(kind="tampered", shard=shard, first=offset, last=offset))
