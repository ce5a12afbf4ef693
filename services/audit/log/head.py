"""The head of a shard: (topic id, size, root) in PostgreSQL, moved by compare-and-swap, so that two owners cannot fork a log,
nor one that still reads a topic that is gone add to what another goes on with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.audit.log.pins import unpin, unpin_stopped
from services.audit.log.tables import Head
from services.audit.log.tree import EMPTY_ROOT
from shared.access.actor import Actor
from shared.bus.event import Event
from shared.errors import ConflictError
from shared.work import Door

SYSTEM = Actor.system("audit")


class AnotherOwnerError(ConflictError):
    """Another owner did meanwhile what this one was about to do. The shard is opened again, and gone on with from there."""


@dataclass(frozen=True)
class HeadState:
    shard: str
    generation: int
    base: int
    size: int
    root: bytes
    stopped: bool = False
    topic_id: UUID | None = None  # the broker's, of the topic whose records these are; None where it was never told

    @property
    def next_offset(self) -> int:
        """The broker's offset of the next leaf."""
        return self.base + self.size

    @property
    def topic(self) -> str:
        """The broker's topic; its names have no `~`."""
        return topic_of(self.shard)

    @property
    def partition(self) -> int:
        return int(self.shard.rpartition("/")[2])


@dataclass(frozen=True)
class Move:
    """A head's next step, and what is told if it is taken."""

    old: HeadState
    size: int
    root: bytes
    events: Sequence[Event] = ()


def topic_of(shard: str) -> str:
    """The broker's topic; its names have no `~`."""
    return shard.rpartition("/")[0].partition("~")[0]


def shard_name(topic: str, partition: int, generation: int) -> str:
    """`<topic>/<partition>`; later generations of a topic that was made anew are `<topic>~<n>/<partition>`."""
    return f"{topic}{'' if generation == 1 else f'~{generation}'}/{partition}"


def _row(head: HeadState) -> dict[str, Any]:
    its = {"shard": head.shard, "topic": head.topic, "partition": head.partition, "generation": head.generation}
    return {**its, "base": head.base, "size": head.size, "root": head.root, "topic_id": head.topic_id}


def _state(row: Head) -> HeadState:
    return HeadState(row.shard, row.generation, row.base, row.size, row.root, row.stopped_at is not None, row.topic_id)


class Heads:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def newest(self, topic: str, partition: int) -> HeadState | None:
        """The head of the newest generation of a partition, or None."""
        async with self._door.begin(SYSTEM) as w:
            where = select(Head).where(Head.topic == topic, Head.partition == partition)
            row = (await w.session.scalars(where.order_by(Head.generation.desc()).limit(1))).first()
            return None if row is None else _state(row)

    async def earlier(self, head: HeadState) -> list[HeadState]:
        """The heads of the generations before, oldest first."""
        async with self._door.begin(SYSTEM) as w:
            where = select(Head).where(Head.topic == head.topic, Head.partition == head.partition)
            rows = await w.session.scalars(where.where(Head.generation < head.generation).order_by(Head.generation))
            return [_state(row) for row in rows]

    async def shards(self) -> list[str]:
        """Every shard ever begun, all generations, in order."""
        async with self._door.begin(SYSTEM) as w:
            return list((await w.session.scalars(select(Head.shard).order_by(Head.shard))).all())

    async def start(
        self, topic: str, partition: int, generation: int, base: int, event: Event | None = None, topic_id: UUID | None = None
    ) -> HeadState:
        """Begin a shard, and tell `event` of it; or find it begun."""
        new = HeadState(shard_name(topic, partition, generation), generation, base, 0, EMPTY_ROOT, topic_id=topic_id)
        async with self._door.begin(SYSTEM) as w:
            await unpin_stopped(w.session, shard_name(topic, partition, generation - 1))
            begun = insert(Head).values(_row(new)).on_conflict_do_nothing().returning(Head.shard)
            if await w.session.scalar(begun) is not None and event is not None:
                w.publish(event)
        found = await self.newest(topic, partition)
        assert found is not None
        return found

    async def stopped(self, shard: str, event: Event) -> None:
        """Note and tell that a shard is not written any more: once until it goes on, whoever finds it so again."""
        first = update(Head).where(Head.shard == shard, Head.stopped_at.is_(None))
        async with self._door.begin(SYSTEM) as w:
            await unpin_stopped(w.session, shard)
            if await w.session.scalar(first.values(stopped_at=w.now).returning(Head.shard)) is not None:
                w.publish(event)

    async def goes_on(self, shard: str) -> None:
        """A shard that was stopped could be opened again: its files are back."""
        async with self._door.begin(SYSTEM) as w:
            await w.session.execute(update(Head).where(Head.shard == shard).values(stopped_at=None))

    async def identify(self, old: HeadState, topic_id: UUID) -> HeadState:
        """Note of which topic the records are from here on. AnotherOwnerError when that one moved the head, or was first."""
        same = (Head.topic_id.is_not_distinct_from(old.topic_id), Head.size == old.size, Head.root == old.root)
        noted = update(Head).where(Head.shard == old.shard, *same).values(topic_id=topic_id).returning(Head.shard)
        async with self._door.begin(SYSTEM) as w:
            if await w.session.scalar(noted) is None:
                raise AnotherOwnerError("another owner moved the head")
        return replace(old, topic_id=topic_id)

    async def move(self, old: HeadState, size: int, root: bytes) -> HeadState:
        """Compare-and-swap. AnotherOwnerError when another owner moved it first: read it again, and start from there."""
        moved = await self.move_all([Move(old, size, root)])
        if old.shard not in moved:
            raise AnotherOwnerError("another owner moved the head")
        return moved[old.shard]

    async def move_all(self, moves: Sequence[Move]) -> dict[str, HeadState]:
        """Several at once, each by compare-and-swap; the new heads of those that moved, by shard."""
        by_shard = {move.old.shard: move for move in moves}
        moved: dict[str, HeadState] = {}
        async with self._door.begin(SYSTEM) as w:
            # In one order for everybody, so that two owners never wait in a circle.
            query = select(Head).where(Head.shard.in_(by_shard)).order_by(Head.shard).with_for_update(key_share=True)
            for row in await w.session.scalars(query):
                move = by_shard[row.shard]
                if (row.topic_id, row.size, row.root) == (move.old.topic_id, move.old.size, move.old.root):
                    row.size, row.root = move.size, move.root
                    moved[row.shard] = replace(move.old, size=move.size, root=move.root)
                    for event in move.events:
                        w.publish(event)
            await w.session.flush()
            await unpin(w.session, moved)
        return moved
