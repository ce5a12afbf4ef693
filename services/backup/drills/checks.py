"""The questions a drill puts to a restored cluster. Each answers with counts and names, never with a row's value.

1. files      pg_verifybackup: every file has the size and SHA-256 that PostgreSQL noted when it was copied.
2. opens      every database opens, and every table is read to its end (counts per database).
3. structure  pg_amcheck: heap and B-tree pages hang together.
4. erased     none of the erased has a key in the holder that erased them, and each is noted there as shredded.
5. keys       how many living keys each keyring has, and the oldest version of its KEK that wraps one (rotation/).
6. left-out   of a set with the newest drilled set's keys: how many people have none of them, and why (restore/left_out.py).
7. everyone   whoever has a row with sealed values has a wrapped key, unless noted as shredded.

1 runs on the files before a server touches them; 4 is "but him", 7 is "everyone is there".
"""

import asyncio
import subprocess
from collections.abc import Mapping, Set

import psycopg
from psycopg import sql

from services.backup.formats.report import Check, keys_check
from services.backup.postgres import Postgres
from services.backup.restore.keyrings import TABLES, ages, column, keyring_of
from services.backup.restore.left_out import LeftOut
from services.backup.restore.replay_erasures import keyring_in
from services.backup.restore.scratch import Scratch, databases

PROGRAM_SECONDS_MAX = 900


async def files(scratch: Scratch, postgres: Postgres) -> Check:
    status = await _run(postgres, "pg_verifybackup", "--exit-on-error", "--quiet", str(scratch.data))
    return Check("files", status == 0, f"pg_verifybackup ended with status {status}")


async def structure(scratch: Scratch, postgres: Postgres) -> Check:
    status = await _run(
        postgres, "pg_amcheck", f"--host={scratch.root}", "--port=5432", f"--username={scratch.superuser}",
        "--all", "--install-missing", "--no-password",
    )  # fmt: skip
    return Check("structure", status == 0, f"pg_amcheck ended with status {status}")


async def opens(scratch: Scratch) -> list[Check]:
    checks = []
    for name in await databases(scratch):
        async with await psycopg.AsyncConnection.connect(scratch.conninfo(name)) as connection:
            rows = 0
            tables = await _tables(connection)
            for table in tables:
                count = await connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
                rows += (await count.fetchone() or (0,))[0]
        checks.append(Check(f"opens/{name}", True, f"{len(tables)} tables, {rows} rows"))
    return checks or [Check("opens", False, "the set holds no database of a service")]


async def erased(scratch: Scratch, erasures: Mapping[str, Set[str]]) -> list[Check]:
    checks = []
    for holder in sorted(erasures):
        async with keyring_in(scratch, holder) as found:
            if found is None:
                continue
            connection, keyring = found
            keyed, all_noted = await column(connection, keyring.keyed), await column(connection, keyring.noted)
        subjects = erasures[holder]
        keys, noted = len(subjects & keyed), len(subjects & all_noted)
        says = f"{len(subjects)} erased, {keys} of them with a key, {noted} noted as shredded"
        checks.append(Check(f"erased/{holder}", keys == 0 and noted == len(subjects), says))
    return checks


async def keys(scratch: Scratch) -> list[Check]:
    checks = []
    for name in await databases(scratch):
        async with keyring_in(scratch, name) as found:
            if found is not None:
                checks.append(keys_check(name, await ages(*found)))
    return checks


def left_out(found: LeftOut | None) -> list[Check]:
    """How many; who they are stands in the drill's row, as a report has counts alone. Never fails: whether somebody is lost is
    the question of `everyone`."""
    if found is None:
        return []
    says = (
        f"{found.erased_since} erased after the newest drilled set, {found.unlisted} without a key in it and without an erasure"
    )
    return [Check("left-out", True, says)]


async def everyone(scratch: Scratch) -> list[Check]:
    """A row with sealed values names its person in a column `subject`, or in `id` where the row is the person."""
    checks = []
    for name in await databases(scratch):
        async with await psycopg.AsyncConnection.connect(scratch.conninfo(name)) as connection:
            keyring = await keyring_of(connection)
            if keyring is None:
                continue
            people: set[str] = set()
            for place in await _sealed_columns(connection):
                people |= await _people(connection, place)
            keyed, shredded = await column(connection, keyring.keyed), await column(connection, keyring.noted)
        lost = people - keyed - shredded
        says = f"{len(people)} people with sealed rows, {len(keyed)} keys, {len(shredded)} shredded, {len(lost)} lost"
        checks.append(Check(f"everyone/{name}", not lost and not keyed & shredded, says))
    return checks


async def _tables(connection: psycopg.AsyncConnection) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    return [row[0] for row in await (await connection.execute(query)).fetchall()]


async def _sealed_columns(connection: psycopg.AsyncConnection) -> list[tuple[str, str, str]]:
    """(table, column that names the person, column of bytes), the kernel's own tables left out."""
    query = """
        SELECT bytes.table_name, person.column_name, bytes.column_name
        FROM information_schema.columns AS bytes
        JOIN LATERAL (
            SELECT column_name FROM information_schema.columns AS c
            WHERE c.table_schema = 'public' AND c.table_name = bytes.table_name
              AND c.column_name IN ('subject', 'id') AND c.data_type IN ('text', 'character varying')
            ORDER BY column_name = 'subject' DESC LIMIT 1
        ) AS person ON true
        WHERE bytes.table_schema = 'public' AND bytes.data_type = 'bytea'
          AND bytes.table_name <> ALL (%s)
    """
    kernel = [*TABLES, "outbox", "inbox", "spent_grants", "idempotency"]
    return [(row[0], row[1], row[2]) for row in await (await connection.execute(query, (kernel,))).fetchall()]


async def _people(connection: psycopg.AsyncConnection, place: tuple[str, str, str]) -> set[str]:
    """A sealed value starts with its version byte; 32 bytes are a hash or a blind index, which need no key."""
    table, person, value = map(sql.Identifier, place)
    query = sql.SQL(
        "SELECT DISTINCT {person} FROM {table} WHERE {person} LIKE 'sub\\_%'"
        " AND length({value}) >= 31 AND length({value}) <> 32 AND get_byte({value}, 0) = 1"
    ).format(table=table, person=person, value=value)
    return {row[0] for row in await (await connection.execute(query)).fetchall()}


async def _run(postgres: Postgres, program: str, *arguments: str) -> int:
    """The program's exit status. Its output may quote rows, so nobody keeps it."""

    def run() -> int:
        return subprocess.run(  # noqa: S603  fixed programs, our own paths
            [postgres.program(program), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=PROGRAM_SECONDS_MAX, check=False,
        ).returncode  # fmt: skip

    return await asyncio.to_thread(run)
