"""backup's composition root: the only file that picks concrete parts and starts things. Read it as a wiring plan."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from services.backup.base import TABLES
from services.backup.drills import actions as drills
from services.backup.drills import api as drills_api
from services.backup.restore import api as restore_api
from services.backup.restore import handlers, scratch
from services.backup.runner import Runner
from services.backup.sets import actions as sets
from services.backup.sets import api as sets_api
from services.backup.sets import jobs
from services.backup.sets import pages as set_pages
from services.backup.sets.stream import Cluster
from services.backup.sets.take import SYSTEM
from services.backup.settings import BackupSettings
from services.backup.wiring import Wired
from shared import telemetry
from shared.access.decide import Policies
from shared.access.grants import GrantVerifier
from shared.access.tokens import ISSUER, TokenVerifier
from shared.blobs import PosixStore
from shared.bus.broker import BrokerSettings
from shared.bus.consumer import Handlers
from shared.bus.relay import Relay
from shared.clock import SystemClock
from shared.db import database_url, make_engine, make_sessions
from shared.errors import UnavailableError
from shared.http.app import create_app
from shared.http.pages import pages
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.migrations import migrate
from shared.notes.note import VaultSigner
from shared.work import Door

log = logging.getLogger("kept.backup")
VAULT_WAIT_SECONDS = 2.0


async def build(settings: BackupSettings) -> FastAPI:
    """Every part and every arrow between them."""
    clock = SystemClock()
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id_file)
    database_password = await _secret(vault, "backup/database")
    kafka_password = await _secret(vault, "backup/kafka")
    url = database_url(settings, database_password)
    await asyncio.to_thread(migrate, "backup", url)
    engine = make_engine(url)
    keyring = Keyring("backup", vault, TABLES)
    door = Door("backup", make_sessions(engine), clock, Policies.load(), keyring)
    broker = BrokerSettings.of(settings, kafka_password)
    relay = Relay(engine, broker)
    verifier = TokenVerifier(settings.jwks_url, ISSUER, clock)
    store = PosixStore(settings.blobs)
    wired = Wired(
        door=door,
        settings=settings,
        vault=vault,
        signer=VaultSigner(vault, "kept-backup-notes", "kept.local/backup"),
        store=store,
        cluster=lambda: Cluster(settings.database_host, settings.database_port, settings.database_role, database_password),
        grants=GrantVerifier(verifier.claims),
        runner=Runner(),
        pages=pages(Path(set_pages.__file__).parent / "templates"),
    )
    heard = Handlers("backup", door, broker, sorted(set(settings.holders.values())))
    handlers.register(heard, store, settings.holders)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await recover(wired)
        tasks = [asyncio.create_task(work) for work in (relay.run(), heard.run(), jobs.run(wired))]
        yield
        await wired.runner.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.dispose()

    async def relays() -> bool:
        return relay.active

    async def listens() -> bool:
        return heard.ready

    return create_app(
        service="backup",
        settings=settings,
        verifier=verifier,
        routers=[sets_api.router(wired), drills_api.router(wired), restore_api.router(wired), set_pages.router(wired)],
        lifespan=lifespan,
        readiness={"vault": vault.healthy, "relay": relays, "handlers": listens},
    )


async def recover(wired: Wired) -> None:
    """What a crash left: scratch servers are stopped and removed, half-taken sets and half-run drills have failed."""
    left = await asyncio.to_thread(scratch.remove_all, wired.settings.scratch)
    async with wired.door.begin(SYSTEM) as w:
        failed = await sets.interrupted(w) + await drills.interrupted(w)
    if left or failed:
        log.warning("after a crash: %d scratch places removed, %d sets or drills failed", left, failed)


async def _secret(vault: Vault, path: str) -> str:
    """Waits for Vault: a service that starts before it is unsealed starts when it is."""
    while True:
        try:
            return (await vault.kv(path))["password"]
        except UnavailableError as error:
            log.warning("waiting for the key service: %s", error.code)
            await asyncio.sleep(VAULT_WAIT_SECONDS)


async def serve() -> None:
    settings = BackupSettings()
    telemetry.setup("backup")
    app = await build(settings)
    config = uvicorn.Config(
        app, host=settings.http_host, port=settings.http_port, log_config=None, access_log=False, server_header=False
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve())
