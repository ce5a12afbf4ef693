"""PostgreSQL alone, with the audit service's tables."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.migrations import migrate
from tests.crash import worker
from tests.support.postgres import server


@pytest.fixture(scope="session")
async def _database() -> AsyncIterator[worker.Database]:
    async with server() as urls:
        await asyncio.to_thread(migrate, "audit", urls["audit"])
        async with worker.database(urls["audit"].render_as_string(hide_password=False)) as found:
            yield found


@pytest.fixture
async def database(_database: worker.Database) -> worker.Database:
    """Audit's database, in which the shard has begun and is empty."""
    await _database.begin()
    return _database
