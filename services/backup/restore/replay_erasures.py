"""P9: before anything else looks at a restored cluster, everybody who was erased since is erased again.

For each holder, in its own database: destroy the wrapped data key, and note that it is gone. Idempotent: what the backup
already knew is left as it is. As the keyring shreds (shared/keys/keyring.py), on a server that no service is connected to yet.
"""

from collections.abc import AsyncIterator, Mapping, Set
from contextlib import asynccontextmanager
from datetime import datetime

import psycopg

from services.backup.restore.keyrings import Connection, Keyring, keyring_of, shred
from services.backup.restore.scratch import Scratch


async def replay(scratch: Scratch, erasures: Mapping[str, Set[str]], now: datetime) -> int:
    """Replays `erasures` (holder -> subjects) and returns how many wrapped keys it destroyed. A holder without a
    keyring in the set joined later: it has nothing here to erase."""
    destroyed = 0
    for holder in sorted(erasures):
        async with keyring_in(scratch, holder) as found:
            if found is not None:
                destroyed += await shred(*found, sorted(erasures[holder]), now)
    return destroyed


@asynccontextmanager
async def keyring_in(scratch: Scratch, holder: str) -> AsyncIterator[tuple[Connection, Keyring] | None]:
    """The holder's keyring, in one transaction; None where the set has none of this holder."""
    async with await psycopg.AsyncConnection.connect(scratch.conninfo()) as connection:
        there = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (holder,))
        if await there.fetchone() is None:
            yield None
            return
    async with await psycopg.AsyncConnection.connect(scratch.conninfo(holder)) as connection:
        keyring = await keyring_of(connection)
        yield None if keyring is None else (connection, keyring)
