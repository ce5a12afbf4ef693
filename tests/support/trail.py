"""The search index, emptied into lists: of the running service, or of a schema of a test's own with made-up rows."""

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.audit.base import TABLES
from services.audit.index import load
from services.audit.index.facts import Facts
from services.audit.index.partitions import schema_sql
from services.audit.index.read import Batch
from services.audit.index.tables import LIVE
from services.audit.log.head import SYSTEM
from services.audit.settings import AuditSettings
from shared.access.decide import Policies
from shared.clock import SystemClock
from shared.db import database_url, make_sessions
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.work import Door
from tests.support.insider import Insider
from tests.support.platform import Platform

SHARD = "kept.customers/0"  # of an owner's topic: others make nobody findable
Everything = dict[str, list[tuple[Any, ...]]]


def everything(platform: Platform, until: dict[str, int] | None = None) -> tuple[dict[str, int], Everything]:
    """The live index's positions, and its rows up to `until` (else those positions), in order."""
    with Insider(platform.state, "audit").connect("audit") as connection:
        at = until or dict(connection.execute(f"SELECT shard, next FROM {LIVE}.positions").fetchall())
        rows = {table: _rows(connection, table, at) for table in ("events", "about")}
    return at, rows


def _rows(connection: "psycopg.Connection[tuple[Any, ...]]", table: str, at: dict[str, int]) -> list[tuple[Any, ...]]:
    order = "shard, index" + (", subject" if table == "about" else "")
    query = f"""SELECT t.* FROM {LIVE}.{table} t JOIN unnest(%s::text[], %s::bigint[]) p (shard, next) USING (shard)
    WHERE t.index < p.next ORDER BY {order}"""
    return connection.execute(query, [list(at), list(at.values())]).fetchall()


def rows_of(platform: Platform, door: Door) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a made-up index, in order."""
    schema: str = door.schema  # type: ignore[attr-defined]
    with Insider(platform.state, "audit").connect("audit") as connection:
        keys = {"events": "shard, index", "about": "shard, index, subject", "positions": "shard"}
        return {t: connection.execute(f"SELECT * FROM {schema}.{t} ORDER BY {k}").fetchall() for t, k in keys.items()}


def told_by(platform: Platform, door: Door, kind: str) -> list[dict[str, Any]]:
    """What was published of a type beside a made-up index; nobody relays it."""
    schema: str = door.schema  # type: ignore[attr-defined]
    with Insider(platform.state, "audit").connect("audit") as connection:
        query = f"SELECT value FROM {schema}.outbox WHERE headers::text LIKE %s ORDER BY id"
        return [json.loads(bytes(row[0])) for row in connection.execute(query, [f"%{kind}%"]).fetchall()]


def settings_of(platform: Platform) -> AuditSettings:
    """The audit service's own."""
    names = {name.removeprefix("KEPT_").lower(): value for name, value in platform.environment("audit").items()}
    return AuditSettings(**{name: value for name, value in names.items() if name in AuditSettings.model_fields})  # type: ignore[arg-type]


@asynccontextmanager
async def made_up_index(platform: Platform) -> AsyncIterator[Door]:
    """A door whose index is an empty one of its own, beside the live one."""
    settings = settings_of(platform)
    vault = Vault.of(settings)
    schema = f"trail_{secrets.token_hex(4)}"
    engine = create_async_engine(
        database_url(settings, (await vault.kv("audit/database"))["password"]),
        execution_options={"schema_translate_map": {LIVE: schema}},
        connect_args={"options": f"-c search_path={schema},public"},  # its events stay in an outbox of its own
    )
    door = Door("audit", make_sessions(engine), SystemClock(), Policies.load(), Keyring("audit", vault, TABLES))
    door.schema = schema  # type: ignore[attr-defined]  # for `fill`
    async with engine.begin() as connection:
        for statement in schema_sql(schema):
            await connection.execute(text(statement))
        await connection.execute(text(f"CREATE TABLE {schema}.outbox (LIKE public.outbox INCLUDING ALL)"))
    try:
        yield door
    finally:
        async with engine.begin() as connection:
            await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        await engine.dispose()


async def fill(door: Door, facts: Sequence[Facts]) -> None:
    """Add rows, as the follower does."""
    schema: str = door.schema  # type: ignore[attr-defined]
    async with door.begin(SYSTEM) as w:
        at = await load.position(w, schema, SHARD)
        await load.store(w, schema, load.prepared(Batch(SHARD, at, facts)))
