"""Lists that a restore must not take back: who was forgotten since a set was taken would return with the next old file.

They are short, hold keyed hashes alone, and come from the newest drilled set, as the keys do.
"""

from typing import LiteralString

import psycopg

from services.backup.restore.scratch import Scratch, databases

# database -> the table, and how it is made where a set is from before it
LISTS: dict[str, tuple[LiteralString, LiteralString]] = {
    "customers": ("forgotten", "mark text PRIMARY KEY, kind text NOT NULL, forgotten_on date NOT NULL")
}


async def carry_lists(place: Scratch, donor: Scratch) -> None:
    """Add to the lists of `place` what those of `donor` have."""
    for database in sorted(LISTS.keys() & set(await databases(place)) & set(await databases(donor))):
        async with (
            await psycopg.AsyncConnection.connect(place.conninfo(database)) as mine,
            await psycopg.AsyncConnection.connect(donor.conninfo(database)) as theirs,
        ):
            table, columns = LISTS[database]
            if await _there(theirs, table):
                if not await _there(mine, table):
                    await mine.execute(f"CREATE TABLE {table} ({columns})")
                    await _give(mine, table, database)
                await _add(mine, theirs, table)


async def _there(connection: psycopg.AsyncConnection, table: str) -> bool:
    found = await connection.execute("SELECT to_regclass(%s)", (f"public.{table}",))
    return await found.fetchone() != (None,)


async def _give(connection: psycopg.AsyncConnection, table: LiteralString, role: str) -> None:
    """To the service, whose role has the name of its database."""
    await connection.execute(
        psycopg.sql.SQL("ALTER TABLE {} OWNER TO {}").format(psycopg.sql.Identifier(table), psycopg.sql.Identifier(role))
    )


async def _add(mine: psycopg.AsyncConnection, theirs: psycopg.AsyncConnection, table: LiteralString) -> None:
    await mine.execute(f"CREATE TEMPORARY TABLE theirs (LIKE {table}) ON COMMIT DROP")
    async with (
        theirs.cursor() as source,
        mine.cursor() as target,
        source.copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as out,  # noqa: S608  ours
        target.copy("COPY theirs FROM STDIN") as into,
    ):
        async for block in out:
            await into.write(block)
    await mine.execute(f"INSERT INTO {table} SELECT * FROM theirs ON CONFLICT DO NOTHING")  # noqa: S608  ours
