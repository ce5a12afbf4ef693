"""The composition root of dsar: every part and every arrow on one page. `python -m services.dsar.app` runs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from services.dsar import law
from services.dsar.base import TABLES
from services.dsar.desk import api as desk
from services.dsar.holder import DsarHolder
from services.dsar.portal import api as portal
from services.dsar.portal import post
from services.dsar.saga import handlers as saga
from services.dsar.saga import jobs
from services.dsar.saga.actions import Course
from services.dsar.settings import DsarSettings
from services.dsar.wiring import Wired
from shared import telemetry
from shared.access.decide import Policies
from shared.access.tokens import ISSUER, TokenVerifier
from shared.bus.broker import BrokerSettings
from shared.bus.consumer import Handlers
from shared.bus.relay import Relay
from shared.clock import SystemClock
from shared.db import database_url, make_engine, make_sessions
from shared.errors import UnavailableError
from shared.holder import sdk
from shared.holder.contract import ANSWERS, COMMANDS
from shared.http.app import create_app
from shared.http.pages import pages
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.migrations import migrate
from shared.notes.note import VaultSigner
from shared.work import Door

SERVICE = "dsar"
ROOM = Path(__file__).parent


async def secret(vault: Vault, path: str) -> str:
    """A password from Vault; waits as long as Vault is away or sealed."""
    while True:
        try:
            return (await vault.kv(path))["password"]
        except UnavailableError:
            await asyncio.sleep(1)


async def build(settings: DsarSettings) -> FastAPI:
    """Wire everything; nothing runs before the application's lifespan begins."""
    clock = SystemClock()
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id_file)
    password = await secret(vault, f"{SERVICE}/database")
    broker = BrokerSettings.of(settings, await secret(vault, f"{SERVICE}/kafka"))
    url = database_url(settings, password)
    await asyncio.to_thread(migrate, SERVICE, url)
    engine = make_engine(url)
    door = Door(SERVICE, make_sessions(engine), clock, Policies.load(), Keyring(SERVICE, vault, TABLES))

    origin = settings.log_name.partition("/")[0]
    signer = VaultSigner(vault, f"kept-{SERVICE}-notes", f"{origin}/{SERVICE}")
    course = Course(settings.holders, settings.patience, signer)
    handlers = Handlers(SERVICE, door, broker, [COMMANDS, ANSWERS, "kept.identity"])
    saga.register(handlers, course)
    sdk.attach(handlers, DsarHolder(), signer)
    relay = Relay(engine, broker)
    templates = pages(ROOM / "portal" / "templates", ROOM / "desk" / "templates")
    wired = Wired(door, settings, vault, law.load(), course, templates)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            tasks = [
                asyncio.create_task(one)
                for one in (relay.run(), handlers.run(), post.run(door, settings), jobs.run(door, course, settings))
            ]
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def relaying() -> bool:
        return relay.active and handlers.ready

    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=TokenVerifier(settings.jwks_url, ISSUER, clock),
        routers=[portal.router(wired), desk.router(wired)],
        lifespan=lifespan,
        readiness={"vault": vault.healthy, "bus": relaying},
    )


async def serve() -> None:
    settings = DsarSettings()
    telemetry.setup(SERVICE)
    app = await build(settings)
    config = uvicorn.Config(app, settings.http_host, settings.http_port, log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve())
