"""P9: before anything else looks at a restored cluster, everybody who was erased since is erased again.

For each holder, in its own database: delete the wrapped data key, and note it in `shredded`. Idempotent: what the
backup already knew is left as it is. The same pair of statements as shared/keys/keyring.py `shred`, on a server that
no service is connected to yet.
"""

from collections.abc import Mapping, Set
from datetime import datetime

import psycopg
from psycopg import sql

from services.backup.restore.scratch import Scratch


async def replay(scratch: Scratch, erasures: Mapping[str, Set[str]], now: datetime) -> int:
    """Replays `erasures` (holder -> subjects) and returns how many wrapped keys it destroyed. A holder without a
    keyring in the set joined later: it has nothing here to erase."""
    destroyed = 0
    for holder in sorted(erasures):
        if not await has_keyring(scratch, holder):
            continue
        async with await psycopg.AsyncConnection.connect(scratch.conninfo(holder)) as connection:
            destroyed += await _in(connection, sorted(erasures[holder]), now)
    return destroyed


async def has_keyring(scratch: Scratch, holder: str) -> bool:
    async with await psycopg.AsyncConnection.connect(scratch.conninfo()) as connection:
        found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (holder,))
        if await found.fetchone() is None:
            return False
    async with await psycopg.AsyncConnection.connect(scratch.conninfo(holder)) as connection:
        found = await connection.execute("SELECT to_regclass('public.keyring')")
        return await found.fetchone() != (None,)


async def _in(connection: psycopg.AsyncConnection[tuple[object, ...]], subjects: list[str], now: datetime) -> int:
    """One transaction: committed when the connection's block ends."""
    gone = await connection.execute("DELETE FROM keyring WHERE subject = ANY(%s)", (subjects,))
    await connection.execute(
        sql.SQL("INSERT INTO shredded (subject, shredded_at) SELECT unnest(%s::text[]), %s ON CONFLICT DO NOTHING"),
        (subjects, now),
    )
    return gone.rowcount
