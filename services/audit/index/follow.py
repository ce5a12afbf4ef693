"""Keeps the index behind the published log: a batch of bundles and its position in one transaction.

A crash anywhere costs nothing: what was not committed is read again. Of two followers of a shard, who finds its batch stored by
the other stands aside until it looks again. What one sets aside, or finds changed, the other knows too.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from services.audit.index import load, read, tampered
from services.audit.index.tables import LIVE, NEXT
from services.audit.log.head import SYSTEM
from services.audit.log.store import ShardStore
from shared.blobs import BlobStore
from shared.errors import TamperError, UnavailableError
from shared.loops.aside import Aside
from shared.loops.forever import forever
from shared.loops.items import Items
from shared.work import Door

log = logging.getLogger("kept.audit.index")
LOOP = "index"
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
        items: Items | None = None,
    ) -> None:
        """`log_behind()`: records that the broker has and the published log has not. `items`: where a shard is set aside that
        cannot be indexed for something unexpected; without, that is raised."""
        self._log_behind = log_behind
        self._blobs = blobs
        self._door = door
        self._checkpoints = checkpoints
        self._schema = schema
        self._news = asyncio.Event()
        self._rest: dict[str, float] = {}
        self._items = items
        self._asked = float("-inf")  # when the next two were
        self._aside: dict[str, Aside] = {}  # what is set aside, by any process
        self._changed: set[str] = set()  # shards whose files any process found changed
        self.at: dict[str, int] = {}  # shard -> how far it is indexed, as far as this process knows
        self.behind: dict[str, int] = {}  # shard -> published entries that are not in the index yet
        self.faults: dict[str, str] = {}  # shard -> what is wrong with its files

    def wake(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        every = FLOOR_SECONDS
        await forever(LOOP, self.catch_up, every=every, pause_max=every, wake=self._news, expected=(OSError,))

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
                except Exception as error:
                    await self._left(turn.shard, error)
                    continue
                turn.at = batch.end
                if turn.at < turn.end.size:
                    turns.append(turn)
                if turns:
                    ahead.begin(turns[0])
                # A batch that is begun is finished, or dies with the process: a COPY cancelled half-way may wait for ever.
                try:
                    stored = await asyncio.shield(asyncio.ensure_future(self._store(batch)))
                except Exception as error:
                    await self._left(turn.shard, error)
                    turns = deque(one for one in turns if one is not turn)
                    continue
                if stored:
                    done += batch.end - batch.start
                elif turn in turns:
                    turns.remove(turn)
                await self._well(turn)
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
        if self._aside or self._changed:
            await self._ask()
        for shard in await asyncio.to_thread(read.shards, self._blobs):
            if not self._rests(shard):
                store = ShardStore(self._blobs, shard)
                try:
                    found.append(Turn(store, await self._checkpoints.newest(store)))
                except Exception as error:
                    await self._left(shard, error)
        if any(self.at.get(one.shard, -1) < one.end.size for one in found):
            await self._ask()
            found = [one for one in found if not self._rests(one.shard)]
            async with self._door.begin(SYSTEM) as w:
                self.at = await load.positions(w, self._schema)
        for one in found:
            one.at = self.at.setdefault(one.shard, 0)
            if one.at >= one.end.size:  # another process has stored it all, maybe
                await self._well(one)
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

    async def _left(self, shard: str, error: Exception) -> None:
        """It rests for a while, and the others go on. UnavailableError, OSError: a part is away, for all."""
        if isinstance(error, TamperError):
            await self._stop(shard, error)
        elif self._items is None or isinstance(error, (UnavailableError, OSError)):
            raise error
        else:
            self._aside[shard] = await self._items.put(shard, error, self._aside.get(shard))

    async def _well(self, turn: Turn) -> None:
        """The shard goes on; and where all of it is indexed, nothing that was changed is left."""
        if self._items is not None and self._aside.pop(turn.shard, None) is not None:
            await self._items.done(turn.shard)
        if turn.shard in self._changed and self.at[turn.shard] >= turn.end.size:
            async with self._door.begin(SYSTEM) as w:
                await tampered.mended(w, [turn.shard])
            self._changed.remove(turn.shard)

    async def _ask(self) -> None:
        """What any process has set aside or found changed by now; asked for once in FLOOR_SECONDS."""
        if time.monotonic() - self._asked < FLOOR_SECONDS or self._schema == NEXT:  # a rebuild says itself what it finds
            return
        self._aside = {} if self._items is None else await self._items.known()
        async with self._door.begin(SYSTEM) as w:
            self._changed = await tampered.known(w)
        self._asked = time.monotonic()

    def _rests(self, shard: str) -> bool:
        """Whether it is too early to look at it again; `kept set-aside retry` says when it is not."""
        aside = self._aside.get(shard)
        early = aside is not None and self._items is not None and not self._items.due(aside)
        return early or self._rest.get(shard, 0) > time.monotonic()

    async def _stop(self, shard: str, error: TamperError) -> None:
        """Nothing of it is indexed until its files are whole again; the others go on. Each process says so of itself; one tells
        people, in an event."""
        if shard not in self.faults:
            log.critical("%s", error.detail)
        self.faults[shard] = error.detail
        self._rest[shard] = time.monotonic() + AGAIN_SECONDS
        if self._schema == NEXT:
            return
        async with self._door.begin(SYSTEM) as w:
            await tampered.found(w, shard, self.at.get(shard, 0))
        self._changed.add(shard)
