"""Why a shred waits a moment for the log: the same record must always give the same bytes.

Sealed entries are written before the head says that they are there. Were their subject's key shredded in between, whoever
writes the batch again after a crash could only say FORGOTTEN where SEALED is in the store already, under a name that never
changes. So:

1. A batch pins the keys of its subjects, in the transaction that reads them and that knows who is shredded (until it ends,
   keyring.keys holds off the shreds of these subjects). A crash leaves a pin: the next owner finds the same keys, and writes
   the same bytes.
2. The transaction that moves the head past the batch takes its pin away.
3. A shred first keeps new batches about its subject from starting (keyring.shred), waits for the pins on it, and then commits.
   Batches that come later find the tombstone: FORGOTTEN, whoever writes them.

A pin counts for PIN_HOLDS at most: a shard that cannot be written for so long stops with a TamperError rather than stand in
the way of a person's right for ever.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.audit.log.tables import Head, Pin
from shared.errors import UnavailableError
from shared.work import Work

PIN_HOLDS = timedelta(hours=1)
WAIT_SECONDS_MAX = 5.0  # a batch on its way takes less than one
WAIT_STEP_SECONDS = 0.05


def pin(w: Work, shard: str, until: int, subjects: Iterable[str]) -> None:
    """Step 1. `until`: the size of the shard with this batch."""
    w.session.add(Pin(shard=shard, until=until, subjects=sorted(subjects), pinned_at=w.now))


async def unpin(session: AsyncSession, shards: Iterable[str]) -> None:
    """Step 2: the pins of batches that these shards' heads have passed."""
    past = select(Pin.id).join(Head, Head.shard == Pin.shard).where(Pin.shard.in_(list(shards)), Pin.until <= Head.size)
    await session.execute(delete(Pin).where(Pin.id.in_(past)))


async def unpin_stopped(session: AsyncSession, shard: str) -> None:
    """A shard that is not written any more holds up nobody."""
    await session.execute(delete(Pin).where(Pin.shard == shard))


async def until_unpinned(w: Work, subject: str) -> None:
    """Step 3, after keyring.shred in the same transaction. UnavailableError where a batch does not come to its end: nothing is
    shredded yet, and trying again is right."""
    held = (Pin.subjects.contains([subject]), Pin.pinned_at > w.now - PIN_HOLDS)
    # A late owner may pin what another has integrated already: the head, not the row, says what is on its way.
    query = select(Pin.id).join(Head, Head.shard == Pin.shard).where(*held, Pin.until > Head.size).limit(1)
    for _ in range(int(WAIT_SECONDS_MAX / WAIT_STEP_SECONDS)):
        if await w.session.scalar(query) is None:
            return
        await asyncio.sleep(WAIT_STEP_SECONDS)
    raise UnavailableError("the log is being written about this subject", retry_after=5)
