"""Why a partition of the search index is a month (docs/decisions/0012): the newest events of one actor, over ten years.

The index's own tables and query, on PostgreSQL alone, once with a partition per month and once per day. Hardly anything is in
them: what is measured is what a query costs by itself, and grows with their number.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.audit.index.actions import PAGE, narrowed
from services.audit.index.model import Filters
from services.audit.index.partitions import schema_sql
from services.audit.index.tables import LIVE, Indexed
from shared.db import make_engine
from tests.bench import report
from tests.support.postgres import server

YEARS, YEARS_QUICK = 10, 1
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
EVENTS, ACTORS = 10_000, 10  # spread evenly over all the years
ASKED = 20  # after the first of a connection
ACTOR = "usr_3"
LOCKS = "1024"  # a day as a partition needs more than PostgreSQL has by default: one for each, and for each of its indexes
AT_ONCE = 50  # partitions in one transaction: each takes a lock for every index

PARTITION = "CREATE TABLE {schema}.events_{n} PARTITION OF {schema}.events FOR VALUES FROM ('{start}') TO ('{end}')"
ROWS = """
INSERT INTO {schema}.events SELECT cast(:begin AS timestamptz) + n * cast(:apart AS interval), 'bench/0', n, 'evt_' || n,
  'a.b.v1', 'usr_' || n % {actors}, '', '', '', false, '{{}}' FROM generate_series(0, {events} - 1) AS n
"""


def bounds(per: str, years: int) -> Iterator[tuple[datetime, datetime]]:
    """The partitions of all the years."""
    at, end = BEGIN, BEGIN.replace(year=BEGIN.year + years)
    while at < end:
        after = at + timedelta(days=1) if per == "day" else (at + timedelta(days=31)).replace(day=1)
        yield at, after
        at = after


async def filled(engine: AsyncEngine, schema: str, per: str, years: int) -> int:
    """An index with its partitions and rows; how many partitions."""
    parts = list(bounds(per, years))
    async with engine.begin() as connection:
        for statement in schema_sql(schema):
            await connection.execute(text(statement))
    for first in range(0, len(parts), AT_ONCE):
        async with engine.begin() as connection:
            for n, (start, end) in enumerate(parts[first : first + AT_ONCE], first):
                made = PARTITION.format(schema=schema, n=n, start=start.isoformat(), end=end.isoformat())
                await connection.execute(text(made))
    apart = (parts[-1][1] - BEGIN) / EVENTS
    async with engine.begin() as connection:
        await connection.execute(
            text(ROWS.format(schema=schema, actors=ACTORS, events=EVENTS)), {"begin": BEGIN, "apart": apart}
        )
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text(f"ANALYZE {schema}.events"))
    return len(parts)


async def asked(connection: AsyncConnection) -> float:
    """Seconds until the newest events of the actor are there."""
    query = narrowed(select(Indexed.__table__), Filters(actor=ACTOR))
    order = (Indexed.time.desc(), Indexed.shard.desc(), Indexed.index.desc())
    began = time.perf_counter()
    rows = (await connection.execute(query.order_by(*order).limit(PAGE + 1))).all()
    took = time.perf_counter() - began
    assert len(rows) == PAGE + 1
    await connection.rollback()
    return took


async def measured(engine: AsyncEngine, schema: str) -> tuple[float, float]:
    """Seconds of a connection's first query, and of those after it (median)."""
    async with engine.connect() as connection:
        connection = await connection.execution_options(schema_translate_map={LIVE: schema})
        first = await asked(connection)
        return first, statistics.median([await asked(connection) for _ in range(ASKED)])


async def main(*, quick: bool) -> None:
    rows: list[tuple[str, str, str, str]] = []
    years = YEARS_QUICK if quick else YEARS
    async with server(max_locks_per_transaction=LOCKS) as urls:
        engine = make_engine(urls["audit"])
        try:
            for per in ("month", "day"):
                count = await filled(engine, f"by_{per}", per, years)
                await engine.dispose()  # a connection of its own: what is measured first is its first query
                first, later = await measured(engine, f"by_{per}")
                rows.append((per, f"{count:,}", f"{first * 1000:,.0f}", f"**{later * 1000:,.0f}**"))
        finally:
            await engine.dispose()
    shown = report.table(("a partition is a", "partitions", "a connection's first query, ms", "a later one, ms"), rows)
    about = (
        f"The newest {PAGE} events of one actor out of {EVENTS:,} in {years} years, by the index's own query (decision 0012).\n"
        "The tables are nearly empty: this is planning and locks."
    )
    report.section("partitions", "Partitions of the search index", f"{about}\n\n{shown}", quick=quick)


if __name__ == "__main__":
    asyncio.run(main(quick=report.arguments(__doc__).quick))
