"""Keeps the index behind the published log: a batch of bundles and its position in one transaction.

A crash anywhere costs nothing: what was not committed is read again. Of two followers of a shard, who finds its batch stored by
the other stands aside until it looks again.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

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
GIVE_WAY_RECORDS = 30_000  # some seconds of a busy bus: more than the log is ever behind in its stride
GIVE_WAY_SECONDS = 0.5
Moved = Callable[[str, int, int], None]


@dataclass(eq=False)
class Turn:
    """A shard that has something new. `at`: where reading goes on."""

    store: ShardStore
    end: read.Published
    at: int = 0

    @property
    def shard(self) -> str:
        return self.store.shard


class Ahead:
    """A shard's next batch, read in a thread before it is asked for; one at a time."""

    def __init__(self) -> None:
        self._turn: Turn | None = None
        self._task: asyncio.Task[load.Prepared] | None = None

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def begin(self, turn: Turn) -> "asyncio.Task[load.Prepared]":
        self._leave()
        self._turn, self._task = turn, asyncio.create_task(asyncio.to_thread(_next, turn.store, turn.end, turn.at))
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())  # also where nobody asks for it
        return self._task

    async def take(self, turn: Turn) -> load.Prepared:
        """TamperError, UnavailableError."""
        task = self._task if self._turn is turn and self._task is not None else self.begin(turn)
        self._turn = self._task = None
        return await task

    def _leave(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _next(store: ShardStore, end: read.Published, start: int) -> load.Prepared:
    return load.prepared(read.read(store, end, start))


class Follower:
    """`run()` for ever; `wake()` after each publication."""

    def __init__(
        self,
        blobs: BlobStore,
        door: Door,
        checkpoints: read.Checkpoints,
        schema: str = LIVE,
        log_behind: Callable[[], int] = lambda: 0,
    ) -> None:
        """`log_behind()`: records that the broker has and the published log has not."""
        self._log_behind = log_behind
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

        The next batch is read while the one before it is stored. `moved(shard, position, size)` after each. Left where it is:
        a shard whose files were changed (`faults`), and one that another follower is at work on."""
        turns, done = await self._turns(moved), 0
        with Ahead() as ahead:
            while turns:
                turn = turns.popleft()
                try:
                    batch = await ahead.take(turn)
                except TamperError as error:
                    await self._stop(turn.shard, error)
                    continue
                turn.at = batch.end
                if turn.at < turn.end.size:
                    turns.append(turn)
                if turns:
                    ahead.begin(turns[0])
                # A batch that is begun is finished, or dies with the process: a COPY cancelled half-way may wait for ever.
                if await asyncio.shield(asyncio.ensure_future(self._store(batch))):
                    done += batch.end - batch.start
                elif turn in turns:
                    turns.remove(turn)
                self._told(turn, moved)
                await self._give_way()
        return done

    async def _give_way(self) -> None:
        """In a burst the log comes first: what is not published is not proven; what is not searchable yet is only late."""
        if self._log_behind() > GIVE_WAY_RECORDS:
            await asyncio.sleep(GIVE_WAY_SECONDS)

    async def _turns(self, moved: Moved | None) -> deque[Turn]:
        """The shards that have something new."""
        found = []
        for shard in await asyncio.to_thread(read.shards, self._blobs):
            if self._rest.get(shard, 0) <= time.monotonic():
                store = ShardStore(self._blobs, shard)
                try:
                    found.append(Turn(store, await self._checkpoints.newest(store)))
                except TamperError as error:
                    await self._stop(shard, error)
        if any(self.at.get(one.shard, -1) < one.end.size for one in found):
            async with self._door.begin(SYSTEM) as w:
                self.at = await load.positions(w, self._schema)
        for one in found:
            one.at = self.at.setdefault(one.shard, 0)
            if one.at >= one.end.size:
                self._told(one, moved)
        return deque(one for one in found if one.at < one.end.size)

    def _told(self, turn: Turn, moved: Moved | None) -> None:
        self.faults.pop(turn.shard, None)
        self.behind[turn.shard] = max(0, turn.end.size - self.at[turn.shard])
        if moved:
            moved(turn.shard, self.at[turn.shard], turn.end.size)

    async def _store(self, batch: load.Prepared) -> bool:
        """False where another follower stored it first."""
        async with self._door.begin(SYSTEM) as w:
            at = await load.position(w, self._schema, batch.shard)
            ours = at == batch.start
            if ours:
                await load.store(w, self._schema, batch)
        self.at[batch.shard] = batch.end if ours else at
        return ours

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
