"""The ledger: every interval, the published checkpoints of all shards become an event, and so an entry of the log.

Whoever holds a later checkpoint of the shard that the entry is in can show what every other shard was at that moment: to
rewrite one of them, all would have to be rewritten.
"""

import base64
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.dialects.postgresql import insert

from services.audit.events import LEDGER_SHARDS_MAX, LedgerRecorded, LedgerShard
from services.audit.log.head import SYSTEM
from services.audit.log.opening import Opener
from services.audit.log.tables import Ledger
from shared.loops.forever import forever
from shared.loops.items import by_itself
from shared.work import Door, Work

LOOP = "ledger"


class LedgerRecorder:
    """`run()` for ever as a task."""

    def __init__(self, door: Door, opener: Opener, interval: timedelta) -> None:
        self._door = door
        self._opener = opener
        self._interval = interval

    async def run(self) -> None:
        every = self._interval.total_seconds()
        await forever(LOOP, self._round, every=every, after=every)

    async def _round(self) -> None:
        await self.record()

    async def record(self) -> bool:
        """Publish what is published now; whether there was anything new."""
        shards = await self._published()
        async with self._door.begin(SYSTEM) as w:
            return await _recorded(w, shards, self._interval)

    async def _published(self) -> list[LedgerShard]:
        found = []
        for shard in await self._opener.heads.shards():
            with by_itself(LOOP, lambda: shard, away=(OSError,)):  # noqa: B023 - no word for a shard whose checkpoint does not verify
                checkpoint = await self._opener.published(shard)
                if checkpoint is not None and checkpoint.size:
                    root = base64.b64encode(checkpoint.root).decode()
                    found.append(LedgerShard(shard=shard, size=checkpoint.size, root=root))
        return found


async def _recorded(w: Work, shards: Sequence[LedgerShard], interval: timedelta) -> bool:
    """In one transaction with the row that knows the last ledger, so that several processes record one, the first one too: who
    finds the row begun by another waits here until that one has committed."""
    leaves = sum(one.size for one in shards)
    await w.session.execute(insert(Ledger).values(id=1, leaves=0, recorded_at=w.now - interval).on_conflict_do_nothing())
    last = await w.session.get_one(Ledger, 1, with_for_update=True)
    # The ledger's own entries are no news: a log in which nothing happens says nothing.
    if leaves <= last.leaves or w.now - last.recorded_at < interval / 2:
        return False
    parts = [shards[i : i + LEDGER_SHARDS_MAX] for i in range(0, len(shards), LEDGER_SHARDS_MAX)]
    for part in parts:
        w.publish(LedgerRecorded(shards=list(part)))
    last.leaves, last.recorded_at = leaves + len(parts), w.now
    return True
