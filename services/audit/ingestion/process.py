"""The wiring of ingestion, the same in the service's own process and in a worker's."""

import asyncio
import gc
import sys
from collections.abc import Callable

from services.audit.ingestion.said import Ingesting, Said, Telling
from services.audit.log.head import Heads
from services.audit.log.ingest import Ingest
from services.audit.log.opening import Opener
from services.audit.log.sealer import Sealer
from services.audit.log.slots import Slot, duty
from services.audit.log.witnesses import Witnesses
from services.audit.settings import AuditSettings
from shared.blobs import BlobStore
from shared.bus.broker import BrokerSettings
from shared.service import Ground

SWITCH_SECONDS = 0.0005
GARBAGE = 100_000  # objects more than there were, before the collector looks at the new ones


def made_for_batches() -> None:
    """Two settings of the interpreter.

    A thread that waited for the disk gets its turn soon: the interpreter's own 5 ms would add up, several times a file. And a
    batch is a hundred thousand objects without a cycle among them, which the collector need not go through many times."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])


class OwnProcess(Ingesting):
    """Ingestion of one slot, in this process."""

    def __init__(
        self,
        settings: AuditSettings,
        base: Ground,
        blobs: BlobStore,
        broker: BrokerSettings,
        published: Callable[[], None],
        slot: Slot,
    ) -> None:
        policy = settings.witness_policy
        self._ingest = Ingest(
            pattern=settings.topics,
            opener=opener_of(settings, base, blobs),
            sealer=Sealer(base.door),
            broker=broker,
            published=published,
            slot=slot,
            witnesses=None if policy is None else Witnesses(policy),
            aside=base.door,
        )
        self._duty = duty(base.engine, slot)
        self._telling = Telling(base.door, slot, self._own)

    @property
    def said(self) -> Said:
        return self._telling.others if self._duty.stands_by else self._own()

    def _own(self) -> Said:
        ingest = self._ingest
        return Said(ingest.ready, ingest.faults, dict(ingest.behind), dict(ingest.unwitnessed), ingest.witnesses)

    async def run(self) -> None:
        await asyncio.gather(
            self._duty.run(self._ingest.run, self._telling.tell), self._telling.listen(lambda: self._duty.stands_by)
        )


def opener_of(settings: AuditSettings, base: Ground, blobs: BlobStore) -> Opener:
    """How shards are opened."""
    return Opener(settings.log_name, blobs, Heads(base.door), base.vault, deferred=settings.witness_policy is not None)
