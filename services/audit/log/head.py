"""The head of a shard: (size, root) in PostgreSQL, moved by compare-and-swap, so that two owners cannot fork a log."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.audit.log.tables import Head
from services.audit.log.tree import EMPTY_ROOT
from shared.access.actor import Actor
from shared.errors import ConflictError
from shared.work import Door

SYSTEM = Actor.system("audit")


@dataclass(frozen=True)
class HeadState:
    shard: str
    generation: int
    base: int
    size: int
    root: bytes


def shard_name(topic: str, partition: int, generation: int) -> str:
    """`<topic>/<partition>`; later generations of a topic that was made anew are `<topic>~<n>/<partition>`."""
    return f"{topic}{'' if generation == 1 else f'~{generation}'}/{partition}"


class Heads:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def newest(self, topic: str, partition: int) -> HeadState | None:
        """The head of the newest generation of a partition, or None."""
        async with self._door.begin(SYSTEM) as w:
            where = select(Head).where(Head.topic == topic, Head.partition == partition)
            row = (await w.session.scalars(where.order_by(Head.generation.desc()).limit(1))).first()
            return None if row is None else HeadState(row.shard, row.generation, row.base, row.size, row.root)

    async def shards(self) -> list[str]:
        """Every shard ever begun, all generations, in order."""
        async with self._door.begin(SYSTEM) as w:
            return list((await w.session.scalars(select(Head.shard).order_by(Head.shard))).all())

    async def start(self, topic: str, partition: int, generation: int, base: int) -> HeadState:
        """Begin a shard, or find it begun."""
        shard = shard_name(topic, partition, generation)
        row = {"topic": topic, "partition": partition, "generation": generation, "base": base, "size": 0, "root": EMPTY_ROOT}
        async with self._door.begin(SYSTEM) as w:
            await w.session.execute(insert(Head).values(shard=shard, **row).on_conflict_do_nothing())
        found = await self.newest(topic, partition)
        assert found is not None
        return found

    async def move(self, old: HeadState, size: int, root: bytes) -> HeadState:
        """Compare-and-swap. ConflictError when another owner moved it first: read it again, and start from there."""
        async with self._door.begin(SYSTEM) as w:
            done = await w.session.scalar(
                update(Head)
                .where(Head.shard == old.shard, Head.size == old.size, Head.root == old.root)
                .values(size=size, root=root)
                .returning(Head.shard)
            )
            if done is None:
                raise ConflictError("another owner moved the head")
        return HeadState(old.shard, old.generation, old.base, size, root)
