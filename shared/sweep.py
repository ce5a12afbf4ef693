"""Locators of trimmed versions go: they lead nowhere, nobody can compute them, and who has an old one in hand finds nobody.

A batch at a time, in a transaction of its own; two processes at once take different rows.
"""

import time
from collections.abc import Sequence

from sqlalchemy import delete, inspect, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from shared.access.actor import Actor
from shared.keys.locators import Locators, of_version
from shared.loops.forever import forever
from shared.work import Door

LOOP = "old locators"
LOOK_SECONDS = 30.0  # until a trim is noticed
AGAIN_SECONDS = 3600.0  # until a version of which nothing was found is looked for again: a look reads the whole table
ROWS_PER_BATCH = 5_000


class Sweep:
    """Of one service: the columns of its tables that hold locators."""

    def __init__(self, door: Door, locators: Locators, *columns: InstrumentedAttribute[str]) -> None:
        self._door, self._locators, self._columns = door, locators, columns
        self._clean: dict[int, float] = {}  # version -> when nothing of it was found

    async def run(self) -> None:
        """Until cancelled."""
        await forever(LOOP, self.step, every=LOOK_SECONDS)

    async def step(self) -> bool:
        """One batch of each table. Whether there may be more."""
        now, gone = time.monotonic(), 0
        for version in range(1, await self._locators.oldest()):
            if now - self._clean.get(version, float("-inf")) < AGAIN_SECONDS:
                continue
            found = sum([await self._take(column, version) for column in self._columns])
            if not found:
                self._clean[version] = now
            gone += found
        return gone > 0

    async def _take(self, column: InstrumentedAttribute[str], version: int) -> int:
        table = column.class_
        key: Sequence[InstrumentedAttribute[str]] = [getattr(table, one.key) for one in inspect(table).primary_key]
        some = select(*key).where(of_version(column, version)).limit(ROWS_PER_BATCH).with_for_update(skip_locked=True)
        async with self._door.begin(Actor.system(self._door.service)) as w:
            query = delete(table).where(tuple_(*key).in_(some)).returning(column)
            return len((await w.session.execute(query.execution_options(synchronize_session=False))).all())
