"""What an operator does outside the running service, with the service's own settings: rebuild the index, reconcile, let a
stopped shard go on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.audit.base import TABLES
from services.audit.index.follow import Moved
from services.audit.index.read import Checkpoints
from services.audit.index.rebuild import Rebuild
from services.audit.index.reconcile import Reconciler, Report
from services.audit.ingestion.process import opener_of
from services.audit.log.trust import log_keys
from services.audit.settings import AuditSettings
from services.audit.storage.open import open_log
from shared.installed import ground_now
from shared.service import Ground

LOOK_SECONDS = 0.5


@asynccontextmanager
async def _ground(settings: AuditSettings) -> AsyncIterator[tuple[Ground, Checkpoints]]:
    base = await ground_now(settings, TABLES)
    try:
        yield base, Checkpoints(log_keys(base.vault, settings.log_name))
    finally:
        await base.engine.dispose()


async def rebuild(settings: AuditSettings, moved: Moved | None = None, *, fresh: bool = False) -> int:
    """Build the index beside the live one and swap it in; returns how many entries it has then."""
    async with _ground(settings) as (base, checkpoints):
        blobs = await open_log(settings, base.vault)
        return await Rebuild(base.engine, base.door, blobs, checkpoints).run(moved, fresh=fresh)


async def go_on(settings: AuditSettings, shard: str) -> str:
    """Let a stopped shard go on as its next generation, whose name is returned; the running service begins it within seconds.
    NotFoundError, ConflictError."""
    async with _ground(settings) as (base, _):
        return await opener_of(settings, base, await open_log(settings, base.vault)).go_on(shard)


async def reconcile(settings: AuditSettings, seconds: float) -> Report:
    """Whether what the broker has now is in the log and in the index; waits for it `seconds` at most, since a log that is
    being written is always a moment behind. UnavailableError: cannot tell."""
    async with _ground(settings) as (base, checkpoints):
        blobs = await open_log(settings, base.vault)
        one = Reconciler(settings.topics, await base.broker(), base.door, blobs, checkpoints)
        until, now = time.monotonic() + seconds, await one.ranges()
        while True:
            report = await one.look(now)
            if report.in_step or time.monotonic() >= until:
                return report
            await asyncio.sleep(LOOK_SECONDS)
