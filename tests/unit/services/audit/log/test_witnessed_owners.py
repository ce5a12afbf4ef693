"""Two owners of one shard and their witnesses, through crashes, restored databases, lost answers and witnesses that are away:
the log of an honest writer is never taken for two histories, and never shrinks; what is signed is what was written."""

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import services.audit.log.witnesses as asking
from services.audit.log.publishing import Publisher
from services.audit.log.shard import Shard
from services.audit.witness.store import hashed
from shared.errors import ConflictError
from shared.notes.note import split_note
from shared.notes.tlogproof import checkpoint_head
from tests.unit.services.audit.log.naive import mth
from tests.unit.services.audit.log.test_publishing import World, world_in
from tests.unit.services.audit.log.test_shard import SIGNER, START, made

STEPS = ["append"] * 4 + ["round"] * 5 + ["crash", "restore", "down", "up", "lost"]
STORIES = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.integers(1, 40)), min_size=25, max_size=60)


class Owners:
    """Each has its own shard and its own publisher; they share the store, the head and the witnesses."""

    def __init__(self, world: World, *, closed: bool) -> None:
        self.world, self.closed = world, closed
        self.shards: list[Shard | None] = [None, None]
        self.publishers: list[Publisher | None] = [None, None]
        self.earlier = [START]
        self.size = -1

    async def step(self, what: str, who: int, count: int) -> None:
        host = ("one", "two")[count % 2]
        if what in ("down", "lost"):
            self.world.net.faults[host] = "down" if what == "down" else "lost"
        elif what == "up":
            self.world.net.faults.clear()
        elif what == "restore":  # the database is what it was some moves ago; whoever works with it goes on unawares
            self.world.heads.state = self.earlier[max(0, len(self.earlier) - count % 4 - 1)]
        elif what == "crash" or self.shards[who] is None:
            await self._begin(who)
        elif what == "append":
            await self._append(who, count)
        else:
            await self._round(who)
        self._check()

    async def _begin(self, who: int) -> None:
        self.shards[who] = None
        with suppress(ConflictError):
            shard = await self.world.open()
            self.shards[who], self.publishers[who] = shard, self.world.publisher(closed=self.closed)

    async def _append(self, who: int, count: int) -> None:
        shard = self.shards[who]
        assert shard is not None
        try:
            await shard.append(made(shard.head.size, count))
            self.earlier.append(shard.head)
        except ConflictError:
            self.shards[who] = None

    async def _round(self, who: int) -> None:
        shard, publisher = self.shards[who], self.publishers[who]
        assert shard is not None and publisher is not None
        self.world.shards, self.world.failed = [shard], {}
        await publisher.round()
        for error in self.world.failed.values():
            assert isinstance(error, ConflictError), f"an honest log was stopped: {error.detail}"
            self.shards[who] = None

    def _check(self) -> None:
        size, signers = self.world.published
        assert size >= self.size, "a checkpoint moved backwards"
        assert not self.closed or size < 0 or signers == 2, "published without its quorum"
        self.size = size
        for one in self.world.signing:
            note = one.memory.last(hashed(SIGNER.name))
            if note is not None:
                _, size, root = checkpoint_head(split_note(note)[0])
                assert root == mth(made(0, size)), "a witness signed another history"
            assert one.memory.counts()["refused"] == 0


@settings(max_examples=12)
@given(STORIES, st.booleans())
def test_an_honest_log_is_never_stopped(story: list[tuple[str, int, int]], closed: bool) -> None:
    async def told(root: Path) -> None:
        with world_in(root) as world:
            owners = Owners(world, closed=closed)
            for what, who, count in story:
                await owners.step(what, who, count)
            world.net.faults.clear()
            for who in (0, 1):  # at the end all is well, whatever was
                await owners.step("crash", who, 1)
                await owners.step("append", who, 80)
                await owners.step("round", who, 1)
            assert owners.size > 0

    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking._Pause, "again", lambda _: None)
        asyncio.run(told(Path(root)))
