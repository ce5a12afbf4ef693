"""Batches into the index: rows and position in one transaction, by COPY."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from services.audit.base import TABLES
from services.audit.index import partitions
from services.audit.index.model import Facts
from services.audit.index.read import Batch
from services.audit.index.tables import Known
from shared.errors import UnavailableError
from shared.work import Work

Connection = AsyncConnection[Any]
EVENTS = ["time", "shard", "index", "ce_id", "type", "actor", "subject", "trace", "purpose", "look", "detail"]
ABOUT = ["subject", "time", "shard", "index"]
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@asynccontextmanager
async def connection_of(w: Work) -> AsyncIterator[Connection]:
    """The driver's connection of the transaction, for COPY. Its errors become ours, as the door's do."""
    raw = await (await w.session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, AsyncConnection)
    try:
        yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise UnavailableError(f"database: {type(error).__name__}") from None


async def position(w: Work, schema: str, shard: str) -> int:
    """How far the shard is indexed; locked until the transaction ends, so that two followers take turns."""
    table = sql.Identifier(schema, "positions")
    async with connection_of(w) as connection:
        for _ in range(2):
            query = sql.SQL("SELECT next FROM {} WHERE shard = %s FOR UPDATE").format(table)
            row = await (await connection.execute(query, [shard])).fetchone()
            if row is not None:
                return int(row[0])
            start = sql.SQL("INSERT INTO {} VALUES (%s, 0) ON CONFLICT DO NOTHING").format(table)
            await connection.execute(start, [shard])
    raise UnavailableError("the position of a shard was taken away")


async def store(w: Work, schema: str, batch: Batch) -> None:
    """The batch's rows, and the position after it. The caller holds the lock of `position`, and `batch` begins there."""
    wanted = partitions.months((facts.time for facts in batch.facts), w.now)
    async with connection_of(w) as connection:
        await partitions.ensure(connection, schema, wanted)
        events, about = await asyncio.to_thread(_written, batch)
        await _copy(connection, schema, "events", EVENTS, events)
        await _copy(connection, schema, "about", ABOUT, about)
        query = sql.SQL("UPDATE {} SET next = %s WHERE shard = %s").format(sql.Identifier(schema, "positions"))
        await connection.execute(query, [batch.end, batch.shard])
    await _learn(w, {facts.subject: facts.locators for facts in batch.facts if facts.locators})


def _written(batch: Batch) -> tuple[bytes, bytes]:
    """What COPY takes, of events and of whom they are about."""
    line = _event(batch.shard)
    events = "".join([line(index, facts) for index, facts in batch.rows()])
    about = "".join([_line([s, f.time.isoformat(), batch.shard, str(i)]) for i, f in batch.rows() for s in f.about])
    return events.encode(), about.encode()


async def _copy(connection: Connection, schema: str, table: str, columns: list[str], data: bytes) -> None:
    if not data:
        return
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    async with connection.cursor() as cursor:
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(schema, table), names)
        async with cursor.copy(statement) as copy:
            await copy.write(data)


def _event(shard: str) -> Callable[[int, Facts], str]:
    def line(index: int, facts: Facts) -> str:
        detail = _json(facts.detail) if facts.detail else "{}"
        return _line([facts.time.isoformat(), shard, str(index), facts.ce_id, facts.type, facts.actor, facts.subject,
                      facts.trace, facts.purpose, "t" if facts.look else "f", detail])  # fmt: skip

    return line


def _line(values: Iterable[str]) -> str:
    """A row in COPY's text format."""
    return "\t".join([v if v.isprintable() and "\\" not in v else v.translate(_ESCAPES) for v in values]) + "\n"


async def _learn(w: Work, found: Mapping[str, Sequence[str]]) -> None:
    """Remember by which locators people are found, as their newest events say, but never of a person who was erased.

    An address that somebody gave up leads to them no more: the next to have it must not be told about them."""
    if not found:
        return
    erased = TABLES.shredded.c.subject
    gone = set((await w.session.scalars(select(erased).where(erased.in_(found)))).all())
    rows = [{"locator": one, "subject": subject} for subject in sorted(found.keys() - gone) for one in found[subject]]
    await w.session.execute(delete(Known).where(Known.subject.in_(found)))
    if rows:
        await w.session.execute(insert(Known).values(rows).on_conflict_do_nothing())
