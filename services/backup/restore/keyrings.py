"""The keyring in a restored database: as today (`data_keys`), or as a set from before has it (`keyring`, `shredded`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg

from services.backup.formats.report import Ages

Connection = psycopg.AsyncConnection[tuple[object, ...]]


@dataclass(frozen=True)
class Keyring:
    """`tables`: what it is made of; the people who have a key, those noted as shredded; how many living keys there are and the
    oldest version of the KEK that wraps one (0: none); how somebody becomes shredded: statements that take `subjects` and
    `now`, of which the last destroys the wrapped keys; and how it becomes what stands in `newer`, a table like `data_keys`."""

    tables: frozenset[str]
    keyed: LiteralString
    noted: LiteralString
    ages: LiteralString
    shred: tuple[LiteralString, LiteralString]
    renew: tuple[LiteralString, ...]


TODAY = Keyring(
    frozenset({"data_keys"}),
    "SELECT DISTINCT subject FROM data_keys WHERE wrapped IS NOT NULL",
    "SELECT DISTINCT subject FROM data_keys WHERE shredded_at IS NOT NULL",
    "SELECT count(*), coalesce(min(kek_version), 0) FROM data_keys WHERE wrapped IS NOT NULL",
    (
        "INSERT INTO data_keys (subject, version, created_at, shredded_at)"
        " SELECT unnest(%(subjects)s::text[]), 0, %(now)s, %(now)s ON CONFLICT DO NOTHING",
        "UPDATE data_keys SET wrapped = NULL, shredded_at = %(now)s WHERE subject = ANY(%(subjects)s) AND wrapped IS NOT NULL",
    ),
    (
        "DELETE FROM data_keys",
        "INSERT INTO data_keys (subject, version, wrapped, created_at, shredded_at, current)"
        " SELECT subject, version, wrapped, created_at, shredded_at, current FROM newer",
    ),
)
BEFORE = Keyring(
    frozenset({"keyring", "shredded"}),
    "SELECT subject FROM keyring",
    "SELECT subject FROM shredded",
    "SELECT count(*), coalesce(min(substring(wrapped from '^vault:v([0-9]+):')::integer), 0) FROM keyring",
    (
        "INSERT INTO shredded (subject, shredded_at) SELECT unnest(%(subjects)s::text[]), %(now)s ON CONFLICT DO NOTHING",
        "DELETE FROM keyring WHERE subject = ANY(%(subjects)s)",
    ),
    (
        "DELETE FROM keyring",
        "DELETE FROM shredded",
        "INSERT INTO keyring (subject, version, wrapped, created_at)"
        " SELECT subject, version, wrapped, created_at FROM newer WHERE current AND wrapped IS NOT NULL",
        "INSERT INTO shredded (subject, shredded_at) SELECT subject, shredded_at FROM newer WHERE current AND wrapped IS NULL",
    ),
)
TABLES = TODAY.tables | BEFORE.tables


async def keyring_of(connection: Connection) -> Keyring | None:
    """None where the database has none: it is no holder's."""
    for one in (TODAY, BEFORE):  # today's has views by the names of before
        (table, *_) = sorted(one.tables)
        found = await connection.execute("SELECT to_regclass(%s)", (f"public.{table}",))
        if await found.fetchone() != (None,):
            return one
    return None


async def shred(connection: Connection, keyring: Keyring, subjects: list[str], now: datetime) -> int:
    """As shared/keys/keyring.py `shred`; how many wrapped keys it destroyed."""
    note, destroy = keyring.shred
    values = {"subjects": subjects, "now": now}
    await connection.execute(note, values)
    return (await connection.execute(destroy, values)).rowcount


async def column(connection: Connection, query: LiteralString) -> set[str]:
    """What `keyed` or `noted` gives."""
    return {str(row[0]) for row in await (await connection.execute(query)).fetchall()}


async def ages(connection: Connection, keyring: Keyring) -> Ages:
    row = await (await connection.execute(keyring.ages)).fetchone()
    assert row is not None
    return Ages(int(str(row[0])), int(str(row[1])))


async def renew(connection: Connection, keyring: Keyring, donor: Connection) -> None:
    """Take the keyring of a newer set, `donor`, which is of today's kind: its keys, and whom it knows as shredded."""
    await connection.execute(
        "CREATE TEMPORARY TABLE newer (subject text, version integer, wrapped text, created_at timestamptz,"
        " shredded_at timestamptz, current boolean) ON COMMIT DROP"
    )
    async with (
        donor.cursor() as source,
        connection.cursor() as target,
        source.copy(
            "COPY (SELECT subject, version, wrapped, created_at, shredded_at, current FROM data_keys) TO STDOUT"
        ) as out,
        target.copy("COPY newer FROM STDIN") as into,
    ):
        async for block in out:
            await into.write(block)
    for statement in keyring.renew:
        await connection.execute(statement)
