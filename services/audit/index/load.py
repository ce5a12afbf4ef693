"""Batches into the index: rows and position in one transaction, by COPY."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from services.audit.index import acknowledge, known, partitions, rows
from services.audit.index.read import Batch
from shared.errors import UnavailableError
from shared.work import Work

log = logging.getLogger("kept.audit")
Connection = AsyncConnection[Any]


@asynccontextmanager
async def connection_of(w: Work) -> AsyncIterator[Connection]:
    """The driver's connection of the transaction, for COPY. Its errors become ours, as the door's do."""
    raw = await (await w.session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, AsyncConnection)
    try:
        yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        log.warning("database: %s", type(error).__name__)
        raise UnavailableError("the database is away") from None


async def positions(w: Work, schema: str) -> dict[str, int]:
    """How far each shard is indexed, as was committed last."""
    async with connection_of(w) as connection:
        found = await connection.execute(sql.SQL("SELECT shard, next FROM {}").format(sql.Identifier(schema, "positions")))
        return {shard: int(at) for shard, at in await found.fetchall()}


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


@dataclass(frozen=True)
class Prepared:
    """A batch made ready: what is left is the database's work."""

    shard: str
    start: int
    end: int
    months: frozenset[partitions.Month]
    rows: Mapping[str, bytes]  # table -> what COPY takes
    locators: str  # what known.learn takes
    acknowledged: str  # what acknowledge.learn takes


def prepared(batch: Batch) -> Prepared:
    """Pure, and what costs most: for a thread, before the transaction begins."""
    months = frozenset({(facts.time.year, facts.time.month) for facts in batch.facts})
    events, about = rows.copied(batch.shard, batch.rows())
    tables = {"events": events, "about": about}
    locators, seen_to = known.said(batch.shard, batch.facts), acknowledge.said(batch.shard, batch.facts)
    return Prepared(batch.shard, batch.start, batch.end, months, tables, locators, seen_to)


async def store(w: Work, schema: str, batch: Prepared) -> None:
    """The batch's rows, and the position after it. The caller holds the lock of `position`, and `batch` begins there."""
    async with connection_of(w) as connection:
        await partitions.ensure(connection, schema, partitions.wanted(batch.months, w.now))
        for table, columns in rows.COLUMNS.items():
            await _copy(connection, sql.Identifier(schema, table), columns, batch.rows[table])
        if batch.locators:
            await known.learn(w, connection, schema, batch.locators)
        if batch.acknowledged:
            await acknowledge.learn(connection, schema, batch.acknowledged)
        query = sql.SQL("UPDATE {} SET next = %s WHERE shard = %s").format(sql.Identifier(schema, "positions"))
        await connection.execute(query, [batch.end, batch.shard])


async def _copy(connection: Connection, table: sql.Identifier, columns: Sequence[str], data: bytes) -> None:
    if not data:
        return
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table, names)
    async with connection.cursor() as cursor, cursor.copy(statement) as stream:
        await stream.write(data)
