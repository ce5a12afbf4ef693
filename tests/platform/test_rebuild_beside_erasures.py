"""A rebuilt index takes the live one's place, and somebody is erased at that moment: they are in neither afterwards."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.audit.base import TABLES
from services.audit.holder import AuditHolder
from services.audit.index.partitions import schema_sql
from services.audit.index.rebuild import Rebuild
from services.audit.index.tables import LIVE, NEXT
from services.audit.log.head import SYSTEM
from shared.access.decide import Policies
from shared.clock import SystemClock
from shared.db import make_engine, make_sessions
from shared.ids import new_id
from shared.keys.keyring import Keyring
from shared.migrations import migrate
from shared.work import Door
from tests.support.keys import OpenVault, until_blocked
from tests.support.postgres import server

pytestmark = pytest.mark.platform


@pytest.fixture
async def engine() -> AsyncIterator[AsyncEngine]:
    async with server() as urls:
        await asyncio.to_thread(migrate, "audit", urls["audit"])
        engine = make_engine(urls["audit"])
        async with engine.begin() as connection:
            for statement in schema_sql(NEXT):
                await connection.execute(text(statement))
        yield engine
        await engine.dispose()


async def test_who_is_erased_as_the_index_is_swapped_is_in_neither(engine: AsyncEngine) -> None:
    """Whichever of the two comes second waits for the first, and finds the schemas by their names of then."""
    keyring = Keyring("audit", cast(Any, OpenVault()), TABLES)
    door = Door("audit", make_sessions(engine), SystemClock(), Policies.load(), keyring)
    rebuild = Rebuild(engine, door, cast(Any, None), cast(Any, None))
    first, second = new_id("sub"), new_id("sub")
    async with engine.begin() as connection:
        for schema in (LIVE, NEXT):
            for subject in (first, second):
                row = {"locator": f"loc_{schema}", "subject": subject}
                await connection.execute(text(f"INSERT INTO {schema}.known_locators VALUES (:locator, :subject)"), row)

    async def erase(subject: str) -> None:
        async with door.begin(SYSTEM) as w:
            await AuditHolder().erase(w, subject, new_id("req"))

    async with door.begin(SYSTEM) as w:
        await AuditHolder().erase(w, first, new_id("req"))
        swapping = asyncio.create_task(rebuild._swap())
        await until_blocked(engine, swapping)
        erasing = asyncio.create_task(erase(second))  # in line behind the swap
        await until_blocked(engine, swapping, erasing)
    assert await swapping == 0
    await erasing
    async with engine.connect() as connection:
        assert (await connection.execute(text(f"SELECT * FROM {LIVE}.known_locators"))).all() == []
