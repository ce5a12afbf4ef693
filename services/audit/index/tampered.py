"""Which shards read differently than they were signed, as all processes know it: each finds it by itself, one tells."""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from services.audit.events import AlarmRaised
from services.audit.index.tables import Tampered
from services.audit.log.tables import Head
from shared.work import Work


async def known(w: Work) -> set[str]:
    """Those that somebody found, and nobody found well since."""
    return set(await w.session.scalars(select(Tampered.shard)))


async def found(w: Work, shard: str, index: int) -> bool:
    """Note it, and raise the alarm; whether this was the first to find it. `index`: of the first entry that cannot be read.

    Of a shard that is not even written any more ingestion has told already (log/head.py: stopped)."""
    noted = insert(Tampered).values(shard=shard, at=w.now).on_conflict_do_nothing().returning(Tampered.shard)
    if await w.session.scalar(noted) is None:
        return False
    head = (await w.session.execute(select(Head.base, Head.stopped_at).where(Head.shard == shard).with_for_update())).first()
    offset = (head.base if head else 0) + index
    if head is None or head.stopped_at is None:
        w.publish(AlarmRaised(kind="tampered", shard=shard, first=offset, last=offset))
    return True


async def mended(w: Work, shards: Collection[str]) -> None:
    """They read as they were signed: whoever finds another change tells of it anew."""
    await w.session.execute(delete(Tampered).where(Tampered.shard.in_(shards)))
