"""Ingestion as the audit service wires it, and nothing of the service besides: no index, no HTTP, no outbox relay.

In this process; with `--workers` in KEPT_INGEST_WORKERS of its own.
"""

import asyncio
import sys

from services.audit.base import TABLES
from services.audit.ingestion.workers import Workers
from services.audit.log.head import Heads
from services.audit.log.ingest import Ingest
from services.audit.log.opening import Opener
from services.audit.log.sealer import Sealer
from services.audit.settings import AuditSettings
from shared.blobs import PosixStore
from shared.service import ground


async def main() -> None:
    settings = AuditSettings()
    base = await ground(settings, TABLES)
    await Ingest(
        pattern=settings.topics,
        opener=Opener(settings.log_name, PosixStore(settings.state_dir / "log"), Heads(base.door), base.vault),
        sealer=Sealer(base.door),
        broker=await base.broker(),
        published=lambda: None,
    ).run()


async def workers() -> None:
    settings = AuditSettings()
    await ground(settings, TABLES)  # migrates, as the service does before it starts them
    await Workers(settings.ingest_workers, lambda: None).run()


if __name__ == "__main__":
    asyncio.run(workers() if "--workers" in sys.argv else main())
