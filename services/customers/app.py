"""The composition root of customers: every part and every arrow, read from top to bottom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from services.customers.base import TABLES
from services.customers.holder import CustomersHolder
from services.customers.pages.show import Show
from services.customers.policy.load import load
from services.customers.records import api as records_api
from services.customers.records import handlers as records_handlers
from services.customers.records import pages as records_pages
from services.customers.settings import CustomersSettings
from services.customers.transfer import api as transfer_api
from services.customers.transfer.model import FILE_BYTES_MAX
from services.customers.wiring import Tools
from shared import telemetry
from shared.access.decide import Policies
from shared.access.grants import GrantVerifier
from shared.access.tokens import ISSUER, TokenVerifier
from shared.bus.broker import BrokerSettings
from shared.bus.consumer import Handlers
from shared.bus.relay import Relay
from shared.clock import SystemClock
from shared.db import database_url, make_engine, make_sessions
from shared.holder import sdk
from shared.holder.contract import COMMANDS
from shared.http.app import create_app
from shared.keys.blind import BlindIndex
from shared.keys.keyring import Keyring
from shared.keys.locators import locators
from shared.keys.vault import Vault
from shared.migrations import migrate
from shared.notes.note import VaultSigner
from shared.work import Door

SERVICE = "customers"


async def build(settings: CustomersSettings) -> FastAPI:
    """The whole service. Vault first: without it there is no password for the database, and nothing starts."""
    clock = SystemClock()
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id_file)
    url = database_url(settings, (await vault.kv(f"{SERVICE}/database"))["password"])
    await asyncio.to_thread(migrate, SERVICE, url)
    engine = make_engine(url)
    door = Door(SERVICE, make_sessions(engine), clock, Policies.load(), Keyring(SERVICE, vault, TABLES))
    tools = Tools(load(), BlindIndex(SERVICE, vault), lambda pairs: locators(vault, pairs))

    broker = BrokerSettings.of(settings, (await vault.kv(f"{SERVICE}/kafka"))["password"])
    relay = Relay(engine, broker)
    handlers = Handlers(SERVICE, door, broker, ["kept.identity", COMMANDS])
    records_handlers.register(handlers)
    signer = VaultSigner(vault, f"kept-{SERVICE}-notes", f"kept.local/{SERVICE}")
    sdk.attach(handlers, CustomersHolder(tools.policy), signer)
    verifier = TokenVerifier(settings.jwks_url, ISSUER, clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(one) for one in (relay.run(), handlers.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await engine.dispose()

    async def database() -> bool:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return True

    async def kafka() -> bool:
        return relay.active

    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=verifier,
        routers=[
            transfer_api.router(door, tools, GrantVerifier(verifier.claims)),  # before /{customer_id}
            records_api.router(door, tools, settings.page_rows),
            records_pages.router(door, tools, Show(), settings.page_rows),
        ],
        lifespan=lifespan,
        readiness={"vault": vault.healthy, "database": database, "kafka": kafka},
        body_limits={transfer_api.IMPORTS: FILE_BYTES_MAX},
    )


async def serve() -> None:
    settings = CustomersSettings()
    telemetry.setup(SERVICE)
    app = await build(settings)
    config = uvicorn.Config(
        app, host=settings.http_host, port=settings.http_port, log_config=None, access_log=False, server_header=False
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve())
