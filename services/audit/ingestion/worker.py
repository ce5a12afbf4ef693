"""A process that ingests one slot's partitions; see workers.py.

python -m services.audit.ingestion.worker <slot> <slots>
"""

import asyncio
import json
import sys
from dataclasses import asdict

from services.audit.base import TABLES
from services.audit.ingestion.process import OwnProcess, made_for_batches
from services.audit.log.slots import Slot
from services.audit.settings import AuditSettings
from services.audit.storage.open import open_log
from shared import leader, telemetry
from shared.loops.forever import forever
from shared.service import at_work, ground

SAY_SECONDS = 0.2


async def main(slot: Slot) -> None:
    settings = AuditSettings()
    telemetry.setup(settings.service)
    made_for_batches()
    base = await ground(settings, TABLES, migrated=True)
    news = asyncio.Event()
    ingest = OwnProcess(settings, base, await open_log(settings, base.vault), await base.broker(), news.set, slot)
    async with at_work(base.door, ingest.run(), _say(ingest, news)):
        await _orphaned()


async def _say(ingest: OwnProcess, news: asyncio.Event) -> None:
    """The state, every now and then, and whether something was published since."""

    async def say() -> None:
        said = {**asdict(ingest.said), "duties": leader.duties(), "published": news.is_set()}
        news.clear()
        print(json.dumps(said), flush=True)

    await forever("state", say, every=SAY_SECONDS)


async def _orphaned() -> None:
    """Until the service that started this process is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    asyncio.run(main(Slot(int(sys.argv[1]), int(sys.argv[2]))))
