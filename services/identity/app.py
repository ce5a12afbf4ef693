"""The composition root of identity: every part and every arrow, read from top to bottom."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.identity.access import api as access_api
from services.identity.access.signer import TokenSigner
from services.identity.accounts import pages as accounts_pages
from services.identity.accounts.passwords import Passwords
from services.identity.approvals import api as approvals_api
from services.identity.approvals import handlers as approvals_handlers
from services.identity.approvals import jobs
from services.identity.approvals import pages as approvals_pages
from services.identity.base import TABLES
from services.identity.holder import IdentityHolder
from services.identity.pages.show import Show
from services.identity.sessions import api as sessions_api
from services.identity.sessions import pages as sessions_pages
from services.identity.sessions.actions import Doorman
from services.identity.settings import IdentitySettings
from shared import telemetry
from shared.access.decide import Policies
from shared.access.tokens import ISSUER, TokenVerifier
from shared.bus.broker import BrokerSettings
from shared.bus.consumer import Handlers
from shared.bus.relay import Relay
from shared.clock import Clock, SystemClock
from shared.db import database_url, make_engine, make_sessions
from shared.holder import sdk
from shared.holder.contract import COMMANDS
from shared.http.app import Ready, create_app
from shared.keys.blind import BlindIndex
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.migrations import migrate
from shared.notes.note import VaultSigner
from shared.work import Door

SERVICE = "identity"


@dataclass(frozen=True)
class Ground:
    """What the server and the command line stand on: keys and a migrated database."""

    settings: IdentitySettings
    clock: Clock
    vault: Vault
    engine: AsyncEngine
    door: Door


async def ground(settings: IdentitySettings) -> Ground:
    """Vault first: without it there is no password for the database, and nothing starts."""
    clock = SystemClock()
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id_file)
    url = database_url(settings, (await vault.kv(f"{SERVICE}/database"))["password"])
    await asyncio.to_thread(migrate, SERVICE, url)
    engine = make_engine(url)
    keyring = Keyring(SERVICE, vault, TABLES)
    door = Door(SERVICE, make_sessions(engine), clock, Policies.load(), keyring)
    return Ground(settings, clock, vault, engine, door)


async def build(settings: IdentitySettings) -> FastAPI:
    """The whole service."""
    base = await ground(settings)
    door, vault = base.door, base.vault
    signer = TokenSigner(vault)
    doorman = Doorman(Passwords(), BlindIndex(SERVICE, vault), signer, settings.session)
    broker = BrokerSettings.of(settings, (await vault.kv(f"{SERVICE}/kafka"))["password"])
    relay = Relay(base.engine, broker)
    handlers = Handlers(SERVICE, door, broker, ["kept.dsar", COMMANDS])
    approvals_handlers.register(handlers, settings.approval)
    sdk.attach(handlers, IdentityHolder(), VaultSigner(vault, f"kept-{SERVICE}-notes", f"kept.local/{SERVICE}"))
    show = Show()
    secure = settings.public_origin.startswith("https:")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(one) for one in (relay.run(), handlers.run(), jobs.run(door))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await base.engine.dispose()

    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=TokenVerifier(settings.jwks_url, ISSUER, base.clock),
        routers=[
            access_api.router(signer),
            sessions_api.router(door, doorman),
            sessions_pages.router(door, doorman, show, secure=secure),
            accounts_pages.router(door, show),
            approvals_api.router(door, signer, lifetime=settings.approval, usable=settings.grant),
            approvals_pages.router(door, show),
        ],
        lifespan=lifespan,
        readiness=_readiness(base, relay),
    )


def _readiness(base: Ground, relay: Relay) -> Mapping[str, Ready]:
    async def database() -> bool:
        async with base.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return True

    async def kafka() -> bool:
        return relay.active

    return {"vault": base.vault.healthy, "database": database, "kafka": kafka}


async def serve() -> None:
    settings = IdentitySettings()
    telemetry.setup(SERVICE)
    app = await build(settings)
    config = uvicorn.Config(
        app, host=settings.http_host, port=settings.http_port, log_config=None, access_log=False, server_header=False
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve())
