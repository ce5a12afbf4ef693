"""Builds the index again from the log alone, beside the one that is searched meanwhile, and swaps it in.

1. A schema beside the live one (`trail_next`); one that an earlier try left is gone on with.
2. A follower fills it from the log. A crash leaves it for the next try.
3. With the live positions locked, it catches up with what the live index has (search never goes back in time), and the two
   schemas change names: one row each in PostgreSQL's catalogue, no table is locked.
4. The old one is dropped, after the queries that still read it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.audit.events import IndexRebuilt
from services.audit.index.follow import Follower, Moved
from services.audit.index.partitions import schema_sql
from services.audit.index.read import Checkpoints
from services.audit.index.tables import LIVE, NEXT, OLD
from services.audit.log.head import SYSTEM
from shared.blobs import BlobStore
from shared.errors import ConflictError, TamperError
from shared.locks import REBUILD
from shared.work import Door, Work

TRIES = 20  # at catching up with the live index; each is shorter than the one before

_AHEAD = f"""SELECT count(*) FROM {LIVE}.positions live LEFT JOIN {NEXT}.positions new USING (shard)
WHERE live.next > coalesce(new.next, 0)"""  # noqa: S608  (constants)
_PARTITIONS = """SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :name AND c.relispartition AND c.relkind = 'r'"""
_EXISTS = "SELECT to_regnamespace(:name) IS NOT NULL"


class Rebuild:
    """`run()` once. `fresh`: throw away what an earlier try left."""

    def __init__(self, engine: AsyncEngine, door: Door, blobs: BlobStore, checkpoints: Checkpoints) -> None:
        self._engine = engine
        self._door = door
        self._follower = Follower(blobs, door, checkpoints, schema=NEXT)

    async def run(self, moved: Moved | None = None, *, fresh: bool = False) -> int:
        """How many entries the index has now. ConflictError while another rebuild runs; TamperError where the log is not as
        it was signed: then the live index stays."""
        async with self._alone():
            await self._begin(fresh)  # 1
            for _ in range(TRIES):
                await self._follower.catch_up(moved)  # 2
                if self._follower.faults:
                    raise TamperError("; ".join(sorted(self._follower.faults.values())))
                count = await self._swap()  # 3
                if count is not None:
                    await self._drop(OLD)  # 4
                    return count
            raise ConflictError("the log grows faster than the index is rebuilt; what was built stays for the next try")

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")  # it lasts: no snapshot is held meanwhile
            if not await connection.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": REBUILD}):
                raise ConflictError("another rebuild is running")
            try:
                yield
            finally:
                await connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": REBUILD})

    async def _begin(self, fresh: bool) -> None:
        await self._drop(OLD)
        if fresh:
            await self._drop(NEXT)
        async with self._door.begin(SYSTEM) as w:
            if not await _there(w, NEXT):
                for statement in schema_sql(NEXT):
                    await w.session.execute(text(statement))

    async def _swap(self) -> int | None:
        """None where the live index has more than the new one by now."""
        async with self._door.begin(SYSTEM) as w:
            await w.session.execute(text(f"LOCK TABLE {LIVE}.positions IN EXCLUSIVE MODE"))  # erasures too: known.hold_swap
            if await w.session.scalar(text(_AHEAD)):
                return None
            await w.session.execute(text(f"ALTER SCHEMA {LIVE} RENAME TO {OLD}"))
            await w.session.execute(text(f"ALTER SCHEMA {NEXT} RENAME TO {LIVE}"))
            count = int(await w.session.scalar(text(f"SELECT coalesce(sum(next), 0) FROM {LIVE}.positions")) or 0)  # noqa: S608
            w.publish(IndexRebuilt(entries=count))
            return count

    async def _drop(self, schema: str) -> None:
        """Partition by partition: all at once would take more locks than PostgreSQL has."""
        async with self._door.begin(SYSTEM) as w:
            tables = (await w.session.scalars(text(_PARTITIONS), {"name": schema})).all()
        for table in tables:
            async with self._door.begin(SYSTEM) as w:
                await w.session.execute(text(f"DROP TABLE IF EXISTS {table}"))
        async with self._door.begin(SYSTEM) as w:
            await w.session.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))


async def _there(w: Work, schema: str) -> bool:
    return bool(await w.session.scalar(text(_EXISTS), {"name": schema}))
