"""backup's composition root: the only file that picks concrete parts and starts things. Read it as a wiring plan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from services.backup.base import TABLES
from services.backup.drills import api as drills_api
from services.backup.jobs import Runner
from services.backup.pages import backups
from services.backup.postgres import Cluster
from services.backup.restore import api as restore_api
from services.backup.restore import handlers
from services.backup.sets import api as sets_api
from services.backup.settings import BackupSettings
from services.backup.wiring import Tools
from shared.access.grants import GrantVerifier
from shared.blobs import PosixStore
from shared.bus.relay import Relay
from shared.handlers import Handlers
from shared.http.app import create_app
from shared.http.pages import pages
from shared.leader import Leader
from shared.locks import Lock
from shared.rewrap import Rewrap
from shared.service import at_work, ground, run


async def build(settings: BackupSettings) -> FastAPI:
    """Every part and every arrow between them."""
    base = await ground(settings, TABLES)
    broker = await base.broker()
    relay = Relay(base.engine, broker, base.door.wake)
    rewrap = Rewrap(base.door, base.vault, TABLES)
    store = PosixStore(settings.blobs)
    tools = Tools(
        door=base.door,
        settings=settings,
        vault=base.vault,
        signer=base.signer(),
        store=store,
        cluster=lambda: Cluster(settings.database_host, settings.database_port, settings.database_role, base.database_password),
        grants=GrantVerifier(base.verifier.claims, base.door),
        pages=pages(Path(backups.__file__).parent / "templates"),
    )
    heard = Handlers("backup", base.door, broker, sorted(set(settings.holders.values())))
    handlers.register(heard, store, settings.holders)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        work = Leader(base.engine, "backup work", Lock.LONG_WORK).run(Runner(tools).run)
        async with at_work(base.door, base.ended_sessions.run(broker), relay.run(), rewrap.run(), heard.run(), work):
            yield

    return create_app(
        service="backup",
        settings=settings,
        verifier=base.verifier,
        routers=[sets_api.router(tools), drills_api.router(tools), restore_api.router(tools), backups.router(tools)],
        lifespan=lifespan,
        readiness=base.readiness(),
        later=base.later(relay, heard),
        gauges=base.gauges(relay, heard, rewrap.left),
        set_aside=base.set_aside,
    )


if __name__ == "__main__":
    run(BackupSettings, build)
