"""The composition root of audit: every part and every arrow, read from top to bottom."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from services.audit.base import TABLES
from services.audit.holder import AuditHolder, attach_receipts
from services.audit.index import alarms_api, streams
from services.audit.index import api as index_api
from services.audit.index.follow import Follower
from services.audit.index.read import Checkpoints
from services.audit.index.reconcile import Reconciler
from services.audit.index.tail import Tail
from services.audit.ingesting import Ingesting, OwnProcess, made_for_batches, opener_of
from services.audit.log import api as log_api
from services.audit.log import witnesses
from services.audit.log.slots import SCRUB, WHOLE, Owner
from services.audit.log.trust import log_keys
from services.audit.log.vouch import Vouching
from services.audit.scrub import Scrubbing
from services.audit.settings import AuditSettings
from services.audit.storage import fit_log
from services.audit.wiring import Wired
from services.audit.workers import Workers
from shared.access.grants import GrantVerifier
from shared.bus.consumer import Handlers
from shared.bus.relay import Relay
from shared.holder import sdk
from shared.holder.contract import COMMANDS
from shared.http.app import create_app
from shared.http.gauges import Gauge
from shared.http.pages import pages
from shared.service import at_work, ground, run

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
        return sum(ingest.behind.values())

    follower, tail = Follower(blobs, door, checkpoints, log_behind=log_behind), Tail(blobs, checkpoints)

    def published() -> None:
        follower.wake()
        tail.wake()

    ingest: Ingesting = (
        Workers(settings.ingest_workers, published)
        if settings.ingest_workers
        else OwnProcess(settings, base, blobs, broker, published, WHOLE)
    )
    vouching = Vouching(door, opener_of(settings, base, blobs), timedelta(seconds=settings.ledger_seconds))
    scrubbing = Scrubbing(door, timedelta(hours=settings.scrub_hours))
    handlers = Handlers(SERVICE, door, broker, [COMMANDS])
    sdk.attach(handlers, AuditHolder(), base.signer())
    attach_receipts(handlers, blobs)
    relay = Relay(base.engine, broker)
    reconciler = Reconciler(settings.topics, broker, door, blobs, checkpoints)
    grants = GrantVerifier(base.verifier.claims, base.door)
    wired = Wired(door, blobs, ingest, follower, tail, grants, reconciler, scrubbing, pages(ROOM / "index" / "templates"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        scrubs = [Owner(base.engine, SCRUB, scrubbing.run).run()] if settings.scrub_hours else []
        works = (base.ended.run(broker), relay.run(), handlers.run(), ingest.run(), follower.run(), vouching.run(), *scrubs)
        async with at_work(base.engine, *works):
            yield

    async def ingesting() -> bool:
        return ingest.ready and not ingest.faults

    async def witnessed() -> bool:
        return not ingest.unwitnessed

    async def witness_gauges() -> list[Gauge]:
        return witnesses.gauges(ingest.witnesses, ingest.unwitnessed)

    async def alarm_gauges() -> list[Gauge]:
        return await alarms_api.gauges(wired)

    waits = {"witnesses": witnessed} if settings.witness_policy and settings.witness_policy.closed else {}
    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=base.verifier,
        routers=[
            index_api.router(wired),
            index_api.page(wired),
            alarms_api.router(wired),
            alarms_api.page(wired),
            streams.router(wired),
            log_api.router(wired),
        ],
        lifespan=lifespan,
        readiness=base.readiness(),
        later={**base.later(relay, handlers), "log": ingesting, **waits},
        gauges=base.gauges(relay, handlers, reconciler.gauges, scrubbing.gauges, witness_gauges, alarm_gauges),
        set_aside=base.set_aside,
    )


if __name__ == "__main__":
    run(AuditSettings, build)
