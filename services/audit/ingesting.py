"""The wiring of ingestion, the same in the service's own process and in a worker's."""

import gc
import sys
from collections.abc import Callable
from typing import Protocol

from services.audit.log.head import Heads
from services.audit.log.ingest import Ingest
from services.audit.log.opening import Opener
from services.audit.log.sealer import Sealer
from services.audit.log.slots import Owner, Slot
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


class Ingesting(Protocol):
    """What the rest of the service sees of ingestion, wherever it happens."""

    @property
    def ready(self) -> bool:
        """Everything that is to be read here is read; or another process does it, and this one stands by."""
        ...

    @property
    def faults(self) -> dict[str, str]:
        """Partition -> code of what stopped it."""
        ...

    @property
    def behind(self) -> dict[str, int]:
        """Shard -> records that the broker has and the published log has not."""
        ...

    @property
    def unwitnessed(self) -> dict[str, int]:
        """Shard -> leaves without their quorum of witnesses, where that is missing."""
        ...

    @property
    def witnesses(self) -> dict[str, str]:
        """Name -> what this witness does."""
        ...

    async def run(self) -> None:
        """For ever."""
        ...


class OwnProcess:
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
        )
        self._owner = Owner(base.engine, slot, self._ingest.run)

    @property
    def ready(self) -> bool:
        return self._ingest.ready or self._owner.waits

    @property
    def faults(self) -> dict[str, str]:
        return self._ingest.faults

    @property
    def behind(self) -> dict[str, int]:
        return self._ingest.behind

    @property
    def unwitnessed(self) -> dict[str, int]:
        return self._ingest.unwitnessed

    @property
    def witnesses(self) -> dict[str, str]:
        return self._ingest.witnesses

    async def run(self) -> None:
        await self._owner.run()


def opener_of(settings: AuditSettings, base: Ground, blobs: BlobStore) -> Opener:
    """How shards are opened."""
    return Opener(settings.log_name, blobs, Heads(base.door), base.vault, deferred=settings.witness_policy is not None)
