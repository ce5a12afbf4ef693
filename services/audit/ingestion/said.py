"""What is said of the log's slots: by the process that has one, and by the one that stands by for it alike.

Who has a slot writes what it says of it into a row, every second in which that is something else, and at least every
TELL_SECONDS. Who stands by reads it. A row that is older than STALE_SECONDS says nothing: then nobody is known to be ready.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from services.audit.log.head import SYSTEM
from services.audit.log.slots import Slot
from services.audit.log.tables import SlotSaid
from shared.loops.forever import forever
from shared.work import Door

LOOK_SECONDS = 1.0
TELL_SECONDS = 3.0
STALE_SECONDS = 12  # a duty moves within fifteen


@dataclass(frozen=True)
class Said:
    """`ready`: everything that is to be read is read. `faults`: partition -> code of what stopped it. `behind`: shard ->
    records that the broker has and the published log has not. `unwitnessed`: shard -> leaves without their quorum of witnesses,
    where that is missing. `witnesses`: name -> what this witness does."""

    ready: bool = False
    faults: Mapping[str, str] = field(default_factory=dict)
    behind: Mapping[str, int] = field(default_factory=dict)
    unwitnessed: Mapping[str, int] = field(default_factory=dict)
    witnesses: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Said":
        """Out of what `asdict` gave, by this version or another."""
        return cls(**{name: said[name] for name in cls.__dataclass_fields__ if name in said})


class Ingesting(ABC):
    """What the rest of the service sees of ingestion, wherever it happens."""

    @property
    @abstractmethod
    def said(self) -> Said:
        """Of all slots, also of those that another process has."""

    @abstractmethod
    async def run(self) -> None:
        """For ever."""


class Telling:
    """The row of one slot. `own`: what this process says, when it has the slot."""

    def __init__(self, door: Door, slot: Slot, own: Callable[[], Said]) -> None:
        self.others = Said()  # what the process that has it said last, as far as this one asked
        self._door = door
        self._slot = slot
        self._own = own
        self._told: Said | None = None
        self._told_at = 0.0

    async def tell(self) -> None:
        """Until cancelled: while this process has the slot."""
        self._told = None
        await forever("slot said", self._news, every=LOOK_SECONDS, pause_max=LOOK_SECONDS)

    async def _news(self) -> None:
        said, now = self._own(), time.monotonic()
        if said != self._told or now - self._told_at >= TELL_SECONDS:
            await self._write(said)
            self._told, self._told_at = said, now

    async def listen(self, stands_by: Callable[[], bool]) -> None:
        """Until cancelled: hears what is said while another process has the slot."""

        async def heard() -> None:
            if stands_by():
                self.others = await self._read()

        await forever("slot heard", heard, every=LOOK_SECONDS, pause_max=LOOK_SECONDS)

    async def _write(self, said: Said) -> None:
        row = {"said": asdict(said), "said_at": func.clock_timestamp()}
        written = insert(SlotSaid).values(number=self._slot.number, of=self._slot.of, **row)
        async with self._door.begin(SYSTEM) as w:
            await w.session.execute(written.on_conflict_do_update(index_elements=["number", "of"], set_=row))

    async def _read(self) -> Said:
        fresh = SlotSaid.said_at > func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, STALE_SECONDS)
        mine = select(SlotSaid.said, fresh).where(SlotSaid.number == self._slot.number, SlotSaid.of == self._slot.of)
        async with self._door.begin(SYSTEM) as w:
            row = (await w.session.execute(mine)).first()
        if row is None:
            return Said()
        said = Said.of(row[0])
        return said if row[1] else replace(said, ready=False)
