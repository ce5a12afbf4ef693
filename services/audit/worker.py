"""A process that ingests one slot's partitions; see workers.py.

python -m services.audit.worker <slot> <slots>
"""

import asyncio
import json
import sys

from services.audit.base import TABLES
from services.audit.ingesting import OwnProcess, made_for_batches
from services.audit.log.slots import Slot
from services.audit.settings import AuditSettings
from services.audit.storage import open_log
from shared import telemetry
from shared.service import at_work, ground

SAY_SECONDS = 0.2


async def main(slot: Slot) -> None:
    settings = AuditSettings()
    telemetry.setup(settings.service)
    made_for_batches()
    base = await ground(settings, TABLES, migrated=True)
    news = asyncio.Event()
    ingest = OwnProcess(settings, base, await open_log(settings, base.vault), await base.broker(), news.set, slot)
    async with at_work(base.engine, ingest.run(), _say(ingest, news)):
        await _orphaned()


async def _say(ingest: OwnProcess, news: asyncio.Event) -> None:
    """The state, whenever something was published, and every now and then."""
    while True:
        said = {
            "ready": ingest.ready,
            "faults": ingest.faults,
            "behind": ingest.behind,
            "unwitnessed": ingest.unwitnessed,
            "witnesses": ingest.witnesses,
            "published": news.is_set(),
        }
        news.clear()
        print(json.dumps(said), flush=True)
        await asyncio.sleep(SAY_SECONDS)


async def _orphaned() -> None:
    """Until the service that started this process is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    asyncio.run(main(Slot(int(sys.argv[1]), int(sys.argv[2]))))
