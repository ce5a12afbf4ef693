"""The composition root of audit: every part and every arrow, read from top to bottom."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from services.audit.base import TABLES
from services.audit.holder import AuditHolder, attach_receipts
from services.audit.index.follow import AGAIN_SECONDS, LOOP, Follower
from services.audit.index.read import Checkpoints
from services.audit.index.reconcile import Reconciler
from services.audit.index.tables import Known
from services.audit.index.tail import Tail
from services.audit.ingestion.process import OwnProcess, made_for_batches, opener_of
from services.audit.ingestion.said import Ingesting
from services.audit.ingestion.workers import Workers
from services.audit.log import api as log_api
from services.audit.log import witnesses
from services.audit.log.jobs import LedgerRecorder
from services.audit.log.slots import WHOLE
from services.audit.log.trust import log_keys
from services.audit.scrub.jobs import Scrubbing
from services.audit.settings import AuditSettings
from services.audit.storage.open import fit_log
from services.audit.trail import alarms_api, streams
from services.audit.trail import api as index_api
from services.audit.wiring import Tools
from shared.access.grants import GrantVerifier
from shared.bus.relay import Relay
from shared.gauges import Gauge
from shared.handlers import Handlers
from shared.holder import sdk
from shared.holder.contract import COMMANDS
from shared.http.app import create_app
from shared.http.pages import pages
from shared.keys.locators import Locators
from shared.leader import Leader
from shared.locks import Lock
from shared.loops.items import Items
from shared.rewrap import Rewrap
from shared.service import at_work, ground, run
from shared.sweep import Sweep

SERVICE = "audit"
ROOM = Path(__file__).parent


async def build(settings: AuditSettings) -> FastAPI:
    """Every part of the service."""
    made_for_batches()
    base = await ground(settings, TABLES)
    door, vault, broker = base.door, base.vault, await base.broker()

    blobs = await fit_log(settings, vault)
    checkpoints = Checkpoints(log_keys(vault, settings.log_name))

    def log_behind() -> int:
        return sum(ingest.said.behind.values())

    items = Items(LOOP, door, again=int(AGAIN_SECONDS))
    follower, tail = Follower(blobs, door, checkpoints, log_behind=log_behind, items=items), Tail(blobs, checkpoints)

    def published() -> None:
        follower.wake()
        tail.wake()

    ingest: Ingesting = (
        Workers(settings.ingest_workers, published)
        if settings.ingest_workers
        else OwnProcess(settings, base, blobs, broker, published, WHOLE)
    )
    ledger = LedgerRecorder(door, opener_of(settings, base, blobs), timedelta(seconds=settings.ledger_seconds))
    scrubbing = Scrubbing(door, timedelta(hours=settings.scrub_hours))
    handlers = Handlers(SERVICE, door, broker, [COMMANDS])
    sdk.attach(handlers, AuditHolder(), base.signer())
    attach_receipts(handlers, blobs)
    relay = Relay(base.engine, broker, base.door.wake)
    rewrap = Rewrap(base.door, base.vault, TABLES)
    sweep = Sweep(door, Locators(vault), Known.locator)
    reconciler = Reconciler(settings.topics, broker, door, blobs, checkpoints)
    grants = GrantVerifier(base.verifier.claims, base.door)
    tools = Tools(door, blobs, ingest, follower, tail, grants, reconciler, scrubbing, pages(ROOM / "trail" / "templates"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        scrubs = [Leader(base.engine, "scrub", Lock.SCRUB).run(scrubbing.run)] if settings.scrub_hours else []
        bus = (base.ended_sessions.run(broker), relay.run(), rewrap.run(), sweep.run(), handlers.run())
        log = (ingest.run(), follower.run(), ledger.run(), *scrubs)
        async with at_work(base.door, *bus, *log):
            yield

    async def ingesting() -> bool:
        said = ingest.said
        return said.ready and not said.faults

    async def witnessed() -> bool:
        return not ingest.said.unwitnessed

    async def witness_gauges() -> list[Gauge]:
        return witnesses.gauges(ingest.said.witnesses, ingest.said.unwitnessed)

    async def alarm_gauges() -> list[Gauge]:
        return await alarms_api.gauges(tools)

    waits = {"witnesses": witnessed} if settings.witness_policy and settings.witness_policy.closed else {}
    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=base.verifier,
        routers=[
            index_api.router(tools),
            index_api.page(tools),
            alarms_api.router(tools),
            alarms_api.page(tools),
            streams.router(tools),
            log_api.router(blobs),
        ],
        lifespan=lifespan,
        readiness=base.readiness(),
        later={**base.later(relay, handlers), "log": ingesting, **waits},
        gauges=base.gauges(relay, handlers, rewrap.left, reconciler.gauges, scrubbing.gauges, witness_gauges, alarm_gauges),
        set_aside=base.set_aside,
    )


if __name__ == "__main__":
    run(AuditSettings, build)
