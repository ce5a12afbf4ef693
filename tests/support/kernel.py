"""The kernel on the real servers that `kept up` (or deploy.local.servers) started, as the service customers."""

import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.access.actor import Actor
from shared.access.decide import Policies
from shared.bus.broker import BrokerSettings
from shared.bus.dlq import topic_of
from shared.bus.relay import Relay
from shared.clock import SystemClock
from shared.db import database_url, kernel_tables, make_engine, make_sessions
from shared.handlers import Handlers
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.migrations import upgrade
from shared.settings import ServiceSettings
from shared.work import Door

ME = Actor.system("customers")
TOPIC = "kept.customers"


@dataclass
class Kernel:
    """A door on a schema of its own, and the broker."""

    engine: AsyncEngine
    door: Door
    broker: BrokerSettings
    schema: str

    async def group(self) -> str:
        """A consumer group that begins with what comes now, not with what others left."""
        group = f"kept.customers.test-{secrets.token_hex(4)}"
        reader = self.broker.consumer(TOPIC, topic_of("customers"), group_id=group)
        await reader.start()
        try:
            await reader.seek_to_end()
            await reader.commit({part: await reader.position(part) for part in reader.assignment()})
        finally:
            await reader.stop()
        return group

    async def handlers(self) -> Handlers:
        """Handlers in a group of their own."""
        return Handlers("customers", self.door, self.broker, [TOPIC], group=await self.group())

    def relay(self) -> Relay:
        """A relay of what goes through the door."""
        return Relay(self.engine, self.broker, self.door.wake)

    async def count(self, where: str) -> int:
        async with self.engine.connect() as connection:
            return int((await connection.execute(text(f"SELECT count(*) FROM {where}"))).scalar_one())


def settings_of_customers() -> ServiceSettings:
    state = Path(os.environ.get("KEPT_STATE", ".kept"))
    lines = (state / "run" / "customers.env").read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line)
    names = {name.removeprefix("KEPT_").lower(): value for name, value in pairs.items()}
    return ServiceSettings(**{k: v for k, v in names.items() if k in ServiceSettings.model_fields})  # type: ignore[arg-type]


async def kernel_on(schema: str) -> Kernel:
    """The kernel on a schema that may be there already."""
    settings = settings_of_customers()
    vault = Vault.of(settings)
    await vault.login()
    password = (await vault.kv("customers/database"))["password"]
    broker = BrokerSettings.of(settings, (await vault.kv("customers/kafka"))["password"])
    engine = make_engine(database_url(settings, password).update_query_dict({"options": f"-c search_path={schema}"}))
    keyring = Keyring("customers", vault, kernel_tables(MetaData()))
    door = Door("customers", make_sessions(engine), SystemClock(), Policies.load(), keyring)
    return Kernel(engine, door, broker, schema)


async def open_kernel() -> AsyncIterator[Kernel]:
    """The body of a fixture: `kernel = pytest.fixture(open_kernel)`."""
    kernel = await kernel_on(schema := f"kernel_{secrets.token_hex(4)}")
    async with kernel.engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
        await connection.run_sync(lambda one: upgrade("customers", one, "kernel@head"))
    yield kernel
    async with kernel.engine.begin() as connection:
        await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    await kernel.door.close()
