"""The index's schema, and its partitions: one per month, made when the first event of it comes (docs/decisions, "a
partition is a month").

A time that no clock would say (1970, 9999, what a producer made up) falls into the default partition, so nobody can make
partitions by the thousand: only months from FIRST up to the one after the present have their own.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection, sql

from services.audit.index.tables import LIVE

FIRST = (2020, 1)  # before the first Kept
LOCK_MILLISECONDS_MAX = 2_000  # a partition waits for the queries that run; it must not hold up those that come
Month = tuple[int, int]
TABLES = ("events", "about")

SCHEMA = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.positions (
  shard text COLLATE "C" PRIMARY KEY,
  next bigint NOT NULL CHECK (next >= 0)
);
CREATE TABLE {schema}.events (
  time timestamptz NOT NULL, shard text COLLATE "C" NOT NULL, index bigint NOT NULL,
  ce_id text COLLATE "C" NOT NULL, type text COLLATE "C" NOT NULL, actor text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL, trace text COLLATE "C" NOT NULL, purpose text COLLATE "C" NOT NULL,
  look boolean NOT NULL, detail jsonb NOT NULL,
  PRIMARY KEY (time, shard, index)
) PARTITION BY RANGE (time);
CREATE INDEX ON {schema}.events (ce_id) WHERE ce_id <> '';
CREATE INDEX ON {schema}.events (actor, time) WHERE actor <> '';
CREATE INDEX ON {schema}.events (type, time);
CREATE INDEX ON {schema}.events (trace) WHERE trace <> '';
CREATE INDEX ON {schema}.events (purpose, time) WHERE purpose <> '';
CREATE INDEX ON {schema}.events (time) WHERE look;
CREATE TABLE {schema}.about (
  subject text COLLATE "C" NOT NULL, time timestamptz NOT NULL, shard text COLLATE "C" NOT NULL, index bigint NOT NULL,
  PRIMARY KEY (subject, time, shard, index)
) PARTITION BY RANGE (time);
CREATE TABLE {schema}.known_locators (
  locator text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL,
  PRIMARY KEY (locator, subject)
);
CREATE INDEX ON {schema}.known_locators (subject);
CREATE TABLE {schema}.acknowledged (
  alarm text COLLATE "C" PRIMARY KEY, at timestamptz NOT NULL, by text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL, reference text COLLATE "C" NOT NULL
);
CREATE TABLE {schema}.tampered (
  shard text COLLATE "C" PRIMARY KEY, at timestamptz NOT NULL
);
CREATE TABLE {schema}.events_other PARTITION OF {schema}.events DEFAULT;
CREATE TABLE {schema}.about_other PARTITION OF {schema}.about DEFAULT;
"""
# What the default partition holds of the month moves into it: PostgreSQL refuses a partition whose rows lie there.
MONTH = """
CREATE TABLE {month} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
WITH moved AS (DELETE FROM {other} WHERE time >= {start} AND time < {end} RETURNING *) INSERT INTO {month} SELECT * FROM moved;
ALTER TABLE {table} ATTACH PARTITION {month} FOR VALUES FROM ({start}) TO ({end});
"""


def schema_sql(schema: str = LIVE) -> list[str]:
    """The statements that make an empty index; for migrations and rebuilds alike."""
    return [one for one in SCHEMA.format(schema=schema).split(";\n") if one.strip()]


def wanted(months: Iterable[Month], now: datetime) -> set[Month]:
    """Those of `months` that get a partition of their own."""
    last = _after((now.astimezone(UTC).year, now.astimezone(UTC).month))
    return {month for month in months if FIRST <= month <= last}


def _after(month: Month) -> Month:
    return (month[0] + month[1] // 12, month[1] % 12 + 1)


def _start(month: Month) -> sql.Literal:
    return sql.Literal(datetime(*month, 1, tzinfo=UTC).isoformat())


async def ensure(connection: "AsyncConnection[Any]", schema: str, months: Collection[Month]) -> None:
    """Make the partitions of `months` that are not there, in the caller's transaction."""
    names = {f"{table}_{year}_{month:02d}": (table, (year, month)) for year, month in sorted(months) for table in TABLES}
    missing = "SELECT name FROM unnest(%s::text[]) name WHERE to_regclass(%s || '.' || name) IS NULL"
    for (name,) in await (await connection.execute(missing, [list(names), schema])).fetchall() if names else ():
        await _make(connection, schema, *names[name], name)


async def _make(connection: "AsyncConnection[Any]", schema: str, table: str, month: Month, name: str) -> None:
    await connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_MILLISECONDS_MAX)))
    await connection.execute(
        sql.SQL(MONTH).format(
            month=sql.Identifier(schema, name),
            table=sql.Identifier(schema, table),
            other=sql.Identifier(schema, f"{table}_other"),
            start=_start(month),
            end=_start(_after(month)),
        )
    )
    await connection.execute("SET LOCAL lock_timeout = 0")
