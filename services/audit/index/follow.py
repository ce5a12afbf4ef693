"""Keeps the index behind the published log: bundle by bundle, its position in the same transaction as its rows."""

import asyncio
import logging

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from services.audit.base import TABLES
from services.audit.index.model import facts_of
from services.audit.index.tables import About, Indexed, Known, Position
from services.audit.log import paths
from services.audit.log.entry import parse
from services.audit.log.head import SYSTEM
from services.audit.log.store import SHARDS, ShardStore
from shared.blobs import BlobStore
from shared.errors import KeptError, NotFoundError
from shared.notes.tlogproof import checkpoint_head
from shared.work import Door, Work

log = logging.getLogger("kept.audit.index")
FLOOR_SECONDS = 1.0


class Follower:
    """`run()` for ever; `wake()` after each publication."""

    def __init__(self, blobs: BlobStore, door: Door) -> None:
        self._blobs = blobs
        self._door = door
        self._news = asyncio.Event()

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

    async def catch_up(self) -> int:
        """Index everything published so far; returns how many entries were new."""
        try:
            shards = (await asyncio.to_thread(self._blobs.get, SHARDS)).decode().split()
        except NotFoundError:
            return 0
        return sum([await self._shard(ShardStore(self._blobs, shard)) for shard in shards])

    async def _shard(self, store: ShardStore) -> int:
        note = await asyncio.to_thread(store.checkpoint)
        if note is None:
            return 0
        size = checkpoint_head(note.partition("\n\n")[0] + "\n")[1]
        done = 0
        while True:
            async with self._door.begin(SYSTEM) as w:
                at = await w.session.get(Position, store.shard, with_for_update=True)
                if at is None:
                    at = Position(shard=store.shard, next=0)
                    w.session.add(at)
                if at.next >= size:
                    return done
                n = at.next // paths.WIDTH
                entries = await asyncio.to_thread(store.entries, n, size)
                first = at.next
                for index in range(first, n * paths.WIDTH + len(entries)):
                    await _index(w, store, index, entries[index - n * paths.WIDTH])
                at.next = n * paths.WIDTH + len(entries)
                done += at.next - first

    async def rebuild(self) -> int:
        """Forget the index and build it again from the log alone."""
        async with self._door.begin(SYSTEM) as w:
            for table in (About, Indexed, Position):
                await w.session.execute(delete(table))
        return await self.catch_up()


async def _index(w: Work, store: ShardStore, index: int, raw: bytes) -> None:
    facts = facts_of(parse(await asyncio.to_thread(store.whole, raw)))
    row = {"shard": store.shard, "index": index, "ce_id": facts.ce_id, "type": facts.type, "actor": facts.actor,
           "subject": facts.subject, "time": facts.time, "trace": facts.trace, "detail": facts.detail}  # fmt: skip
    await w.session.execute(insert(Indexed).values(row).on_conflict_do_nothing())
    if facts.about:
        rows = [{"subject": s, "shard": store.shard, "index": index} for s in facts.about]
        await w.session.execute(insert(About).values(rows).on_conflict_do_nothing())
    if facts.locators and not await _erased(w, facts.subject):
        rows = [{"locator": x, "subject": facts.subject} for x in facts.locators]
        await w.session.execute(insert(Known).values(rows).on_conflict_do_nothing())


async def _erased(w: Work, subject: str) -> bool:
    t = TABLES.shredded
    return await w.session.scalar(select(t.c.subject).where(t.c.subject == subject)) is not None


async def where(w: Work, ce_id: str) -> tuple[str, int] | None:
    """(shard, index) of the first entry with this event id."""
    row = (await w.session.execute(select(Indexed.shard, Indexed.index).where(Indexed.ce_id == ce_id).limit(1))).first()
    return None if row is None else (row[0], row[1])
