"""The composition root of audit: every part and every arrow, read from top to bottom."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from services.audit.base import TABLES
from services.audit.holder import AuditHolder, attach_receipts
from services.audit.index import api as index_api
from services.audit.index.follow import Follower
from services.audit.log import api as log_api
from services.audit.log.head import Heads
from services.audit.log.ingest import Ingest
from services.audit.log.sealer import Sealer
from services.audit.settings import AuditSettings
from services.audit.wiring import Wired
from shared import telemetry
from shared.access.decide import Policies
from shared.access.tokens import ISSUER, TokenVerifier
from shared.blobs import PosixStore
from shared.bus.broker import BrokerSettings
from shared.bus.consumer import Handlers
from shared.bus.relay import Relay
from shared.clock import SystemClock
from shared.db import database_url, make_engine, make_sessions
from shared.errors import UnavailableError
from shared.holder import sdk
from shared.holder.contract import COMMANDS
from shared.http.app import create_app
from shared.http.pages import pages
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.migrations import migrate
from shared.notes.note import VaultSigner
from shared.work import Door

SERVICE = "audit"
ROOM = Path(__file__).parent
log = logging.getLogger("kept.audit")


async def _secret(vault: Vault, path: str) -> str:
    """Waits for Vault: a service that starts before it is unsealed starts when it is."""
    while True:
        try:
            return (await vault.kv(path))["password"]
        except UnavailableError as error:
            log.warning("waiting for the key service: %s", error.code)
            await asyncio.sleep(2)


async def build(settings: AuditSettings) -> FastAPI:
    """Every part of the service."""
    clock = SystemClock()
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id_file)
    url = database_url(settings, await _secret(vault, f"{SERVICE}/database"))
    broker = BrokerSettings.of(settings, await _secret(vault, f"{SERVICE}/kafka"))
    await asyncio.to_thread(migrate, SERVICE, url)
    engine = make_engine(url)
    door = Door(SERVICE, make_sessions(engine), clock, Policies.load(), Keyring(SERVICE, vault, TABLES))

    blobs = PosixStore(settings.log_dir)
    follower = Follower(blobs, door)
    ingest = Ingest(
        pattern=settings.topics,
        log_name=settings.log_name,
        blobs=blobs,
        heads=Heads(door),
        sealer=Sealer(door),
        vault=vault,
        broker=broker,
        published=follower.wake,
    )
    handlers = Handlers(SERVICE, door, broker, [COMMANDS])
    origin = settings.log_name.partition("/")[0]
    sdk.attach(handlers, AuditHolder(), VaultSigner(vault, f"kept-{SERVICE}-notes", f"{origin}/{SERVICE}"))
    attach_receipts(handlers, blobs)
    relay = Relay(engine, broker)
    wired = Wired(door, blobs, ingest, pages(ROOM / "index" / "templates"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(one) for one in (relay.run(), handlers.run(), ingest.run(), follower.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await engine.dispose()

    async def ingesting() -> bool:
        return ingest.ready and not ingest.faults

    async def relaying() -> bool:
        return relay.active and handlers.ready

    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=TokenVerifier(settings.jwks_url, ISSUER, clock),
        routers=[index_api.router(wired), log_api.router(wired)],
        lifespan=lifespan,
        readiness={"vault": vault.healthy, "bus": relaying, "log": ingesting},
    )


async def serve() -> None:
    settings = AuditSettings()
    telemetry.setup(SERVICE)
    app = await build(settings)
    config = uvicorn.Config(app, settings.http_host, settings.http_port, log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve())
