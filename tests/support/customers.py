"""The parts of customers, as its composition root puts them together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import URL

from services.customers.base import TABLES, Base
from services.customers.holder import CustomersHolder
from services.customers.policy.load import load
from services.customers.records.forgotten import KEY, PREFIX
from services.customers.wiring import Tools
from shared.access.decide import Policies
from shared.clock import SystemClock
from shared.db import make_engine, make_sessions
from shared.keys.blind import BlindIndex
from shared.keys.keyring import Keyring
from shared.keys.locators import Locators
from shared.keys.marks import Marks
from shared.keys.vault import Vault
from shared.mail.tables import create
from shared.work import Door


def tools_of(vault: Vault) -> Tools:
    return Tools(load(), BlindIndex("customers", vault), Locators(vault), Marks(vault, KEY, PREFIX))


def holder_of(tools: Tools) -> CustomersHolder:
    return CustomersHolder(tools.policy, tools.marks)


@asynccontextmanager
async def empty(database: URL, vault: Vault) -> AsyncIterator[Door]:
    """Customers' door to a database of theirs in which nothing is yet."""
    engine = make_engine(database)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
        await connection.run_sync(create)
    yield Door("customers", make_sessions(engine), SystemClock(), Policies.load(), Keyring("customers", vault, TABLES))
    await engine.dispose()
