"""backup's composition root: the only file that picks concrete parts and starts things. Read it as a wiring plan."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

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
from shared.access.grants import GrantVerifier
from shared.blobs import PosixStore
from shared.bus.consumer import Handlers
from shared.bus.relay import Relay
from shared.http.app import create_app
from shared.http.pages import pages
from shared.service import at_work, ground, run

log = logging.getLogger("kept.backup")


async def build(settings: BackupSettings) -> FastAPI:
    """Every part and every arrow between them."""
    base = await ground(settings, TABLES)
    broker = await base.broker()
    relay = Relay(base.engine, broker)
    store = PosixStore(settings.blobs)
    wired = Wired(
        door=base.door,
        settings=settings,
        vault=base.vault,
        signer=base.signer(),
        store=store,
        cluster=lambda: Cluster(settings.database_host, settings.database_port, settings.database_role, base.database_password),
        grants=GrantVerifier(base.verifier.claims, base.door),
        runner=Runner(),
        pages=pages(Path(set_pages.__file__).parent / "templates"),
    )
    heard = Handlers("backup", base.door, broker, sorted(set(settings.holders.values())))
    handlers.register(heard, store, settings.holders)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await recover(wired)
        async with at_work(base.engine, base.ended.run(broker), relay.run(), heard.run(), jobs.run(wired)):
            yield
            await wired.runner.close()

    return create_app(
        service="backup",
        settings=settings,
        verifier=base.verifier,
        routers=[sets_api.router(wired), drills_api.router(wired), restore_api.router(wired), set_pages.router(wired)],
        lifespan=lifespan,
        readiness=base.readiness(),
        later=base.later(relay, heard),
        gauges=base.gauges(relay, heard),
        set_aside=base.set_aside,
    )


async def recover(wired: Wired) -> None:
    """What a crash left: scratch servers are stopped and removed, half-taken sets and half-run drills have failed."""
    left = await asyncio.to_thread(scratch.remove_all, wired.settings.scratch)
    async with wired.door.begin(SYSTEM) as w:
        failed = await sets.interrupted(w) + await drills.interrupted(w)
    if left or failed:
        log.warning("after a crash: %d scratch places removed, %d sets or drills failed", left, failed)


if __name__ == "__main__":
    run(BackupSettings, build)
