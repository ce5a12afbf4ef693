"""Two owners of one shard, interleaved at every step of the order of writes, with crashes and a restored database between
them. Whatever happens: what is published verifies, never shrinks, and is a beginning of what comes later."""

import asyncio
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.audit.log.checkpoint import Checkpoint, parse
from services.audit.log.head import Heads
from services.audit.log.shard import Batch, Growth, Shard, _publish, _write
from services.audit.log.store import ShardStore
from services.audit.log.verify import verify_shard
from shared.errors import ConflictError, KeptError
from shared.notes.note import VaultSigner, verify_note
from tests.unit.services.audit.log.naive import Memory, MemoryHeads, mth
from tests.unit.services.audit.log.test_shard import KEYS, NAME, SIGNER, START, made

owners = st.integers(0, 1)


class Owners(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.blobs, self.heads = Memory(), MemoryHeads(START)
        self.store = ShardStore(self.blobs, NAME)
        self.shards: list[Shard | None] = [None, None]
        self.growths: list[Growth | None] = [None, None]
        self.unpublished = [False, False]
        self.earlier = [START]
        self.seen = Checkpoint("", 0, b"")

    def _crash(self, who: int) -> None:
        self.shards[who], self.growths[who], self.unpublished[who] = None, None, False

    @rule(who=owners)
    def open(self, who: int) -> None:
        """A start, after a crash or not."""
        self._crash(who)
        try:
            shard = Shard.open(self.heads.state, self.store, cast(Heads, self.heads), cast(VaultSigner, SIGNER))
            self.shards[who] = asyncio.run(shard)
        except ConflictError:
            pass  # the other one was faster

    @precondition(lambda self: any(self.shards))
    @rule(who=owners, count=st.integers(1, 300))
    def write(self, who: int, count: int) -> None:
        """Step 1."""
        shard = self.shards[who]
        if shard is None or self.growths[who] or self.unpublished[who]:
            return
        batch = Batch(made(shard.head.size, count))
        growths, failed = _write({shard: batch})
        assert not failed, "the bytes of a record depend on nothing else"
        self.growths[who] = growths[shard]

    @precondition(lambda self: any(self.growths))
    @rule(who=owners)
    def move(self, who: int) -> None:
        """Step 2."""
        shard, growth = self.shards[who], self.growths[who]
        if shard is None or growth is None:
            return
        moved = asyncio.run(self.heads.move_all([growth.move]))
        if not moved:
            return self._crash(who)
        shard.head = moved[NAME]
        self.earlier.append(shard.head)
        self.growths[who], self.unpublished[who] = None, True

    @precondition(lambda self: any(self.unpublished))
    @rule(who=owners)
    def publish(self, who: int) -> None:
        """Steps 3 and 4."""
        shard = self.shards[who]
        if shard is None or not self.unpublished[who]:
            return
        failed: dict[Shard, KeptError] = asyncio.run(_publish([shard]))
        self.unpublished[who] = False
        if failed:
            self._crash(who)

    @rule(back=st.integers(0, 3))
    def restore(self, back: int) -> None:
        """The database is what it was some moves ago; whoever worked with it goes on unawares."""
        self.heads.state = self.earlier[max(0, len(self.earlier) - 1 - back)]

    @invariant()
    def what_is_published_holds(self) -> None:
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


TestOwners = Owners.TestCase
TestOwners.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
