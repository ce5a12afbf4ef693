"""Two owners of one shard, interleaved at every step of the order of writes, with crashes and a restored database between
them. Whatever happens: what is published verifies, never shrinks, and is a beginning of what comes later."""

import asyncio
from contextlib import suppress
from itertools import product
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.log.checkpoint import Checkpoint, parse
from services.audit.log.head import Heads
from services.audit.log.shard import Batch, Growth, Shard, _publish, _write
from services.audit.log.store import ShardStore
from services.audit.log.verify import verify_shard
from shared.errors import ConflictError
from shared.notes.note import VaultSigner, verify_note
from tests.unit.services.audit.log.naive import Memory, MemoryHeads, mth
from tests.unit.services.audit.log.test_shard import KEYS, NAME, SIGNER, START, made

STEPS = 9  # of both owners together: open, write, move, publish, and again; every order of them is tried


class Owners:
    """Two owners, one store, one head. `check` after each step."""

    def __init__(self) -> None:
        self.blobs, self.heads = Memory(), MemoryHeads(START)
        self.store = ShardStore(self.blobs, NAME)
        self.shards: list[Shard | None] = [None, None]
        self.growths: list[Growth | None] = [None, None]
        self.unpublished = [False, False]
        self.earlier = [START]
        self.seen = Checkpoint("", 0, b"")

    async def step(self, who: int, count: int) -> None:
        """The owner's next step, wherever it stands."""
        shard, growth = self.shards[who], self.growths[who]
        if shard is None:
            await self._open(who)
        elif growth is not None:
            await self._move(who, shard, growth)
        elif self.unpublished[who]:
            await self._publish(who, shard)
        else:
            growths, failed = _write({shard: Batch(made(shard.head.size, count))})
            assert not failed, "the bytes of a record depend on nothing else"
            self.growths[who] = growths[shard]

    def crash(self, who: int) -> None:
        """Dead, wherever it stood."""
        self.shards[who], self.growths[who], self.unpublished[who] = None, None, False

    async def _open(self, who: int) -> None:
        with suppress(ConflictError):  # the other one was faster
            self.shards[who] = await Shard.open(
                self.heads.state, self.store, cast(Heads, self.heads), cast(VaultSigner, SIGNER)
            )

    async def _move(self, who: int, shard: Shard, growth: Growth) -> None:
        moved = await self.heads.move_all([growth.move])
        if not moved:
            return self.crash(who)
        shard.head = moved[NAME]
        self.earlier.append(shard.head)
        self.growths[who], self.unpublished[who] = None, True

    async def _publish(self, who: int, shard: Shard) -> None:
        self.unpublished[who] = False
        if await _publish([shard]):
            self.crash(who)

    def check(self) -> None:
        """What is published verifies, has not shrunk, and is the one history there is."""
        note = self.store.checkpoint()
        if note is None:
            return
        found = parse(verify_note(note, KEYS))
        if found == self.seen:
            return
        assert found.size >= self.seen.size, "a checkpoint moved backwards"
        assert found.root == mth(made(0, found.size)), "another history was signed"
        assert verify_shard(self.blobs, NAME, KEYS).faults == ()
        self.seen = found


async def test_no_order_of_their_steps_forks_the_log() -> None:
    """Exhaustive: with 3 and 5 entries a batch they disagree on every cut."""
    for order in product((0, 1), repeat=STEPS - 1):  # the first step is the first owner's, whoever that is
        owners = Owners()
        for who in (0, *order):
            await owners.step(who, 3 + 2 * who)
            owners.check()


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.sampled_from(["step"] * 12 + ["crash", "restore"]), st.integers(0, 1), st.integers(1, 90)), min_size=40
    )
)
def test_nor_do_crashes_and_restored_databases(story: list[tuple[str, int, int]]) -> None:
    async def told() -> None:
        owners = Owners()
        for what, who, count in story:
            if what == "crash":
                owners.crash(who)
            elif what == "restore":  # the database is what it was some moves ago; whoever works with it goes on unawares
                owners.heads.state = owners.earlier[max(0, len(owners.earlier) - count % 4 - 1)]
            else:
                await owners.step(who, count)
            owners.check()

    asyncio.run(told())
