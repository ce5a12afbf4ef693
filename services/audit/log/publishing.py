"""Publishing with witnesses: in rounds beside the writing of batches, so that a slow witness holds up nobody's records.

1. The heads that no checkpoint has yet are signed, in one call to Vault.
2. The witnesses are asked, all at once (witnesses.py). A crash after this leaves cosignatures that nobody got: the next owner
   learns the size from a 409.
3. Each checkpoint is replaced (shard.py, step 4), with the cosignatures that it has: where they are a quorum, or where the
   policy is to publish without. Such a one is published once more when its quorum has signed, also if nothing is appended.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from services.audit.log.checkpoint import Checkpoint
from services.audit.log.head import HeadState
from services.audit.log.shard import Shard, replace_all, signed
from services.audit.log.witnesses import Asked, Witnesses
from shared.loops.forever import forever
from shared.notes.cosignature import cosigned

log = logging.getLogger("kept.audit.publish")
LOOP = "publish"
PACE_SECONDS = 0.5  # between the beginnings of rounds: whatever is appended, a witness is asked twice a second about a shard
Failed = Callable[[Mapping[Shard, Exception]], Awaitable[None]]


@dataclass
class _Draft:
    """A checkpoint on its way: of which head, its note with the lines that it has by now, and whether they are a quorum."""

    head: HeadState
    note: str
    witnessed: bool = False


class Publisher:
    """`run()` as a task beside ingestion. `shards`: those that are written now; `failed`: told of those that cannot go on."""

    def __init__(
        self, witnesses: Witnesses, shards: Callable[[], Collection[Shard]], failed: Failed, published: Callable[[], None]
    ) -> None:
        self._witnesses = witnesses
        self._shards = shards
        self._failed = failed
        self._published = published
        self._drafts: dict[Shard, _Draft] = {}
        self._covered: dict[str, int] = {}  # shard -> the largest size that was published with its quorum
        self.unwitnessed: dict[str, int] = {}  # shard -> leaves beyond that, since the quorum did not sign when it was asked

    async def run(self) -> None:
        """For ever."""
        await forever(LOOP, self._paced, every=PACE_SECONDS, pause_max=PACE_SECONDS, expected=(OSError,))

    async def _paced(self) -> bool:
        began = time.monotonic()
        await self.round()
        await asyncio.sleep(max(0.0, began + PACE_SECONDS - time.monotonic()))
        return True

    async def round(self) -> None:
        """Steps 1 to 3, once, for every shard that owes a checkpoint or cosignatures."""
        drafts = await self._owed()  # 1
        asked, failed = self._asked(drafts)
        await self._witnesses.ask(list(asked.values()))  # 2
        failed |= {shard: one.failed for shard, one in asked.items() if one.failed is not None}
        notes = {}
        for shard, one in asked.items():
            draft = drafts[shard]
            draft.note += "".join(one.lines.values())
            draft.witnessed = len(one.there) + len(one.lines) >= self._witnesses.policy.quorum.needed
            if shard not in failed and draft.note != shard.note and (draft.witnessed or not self._witnesses.policy.closed):
                notes[shard] = draft.note
        failed |= await asyncio.to_thread(replace_all, notes)  # 3
        self._say({shard: draft for shard, draft in drafts.items() if shard not in failed})
        if failed:
            await self._failed(failed)
        if notes:
            self._published()

    async def _owed(self) -> dict[Shard, _Draft]:
        """Step 1."""
        now = self._shards()
        self._drafts = {shard: draft for shard, draft in self._drafts.items() if shard in now}
        fresh = [shard for shard in now if shard not in self._drafts or self._drafts[shard].head != shard.head]
        heads = {shard: shard.head for shard in fresh}  # they may move while Vault signs
        notes = {shard: shard.note for shard in fresh if shard.note is not None and shard.published == shard.head.size}
        missing = [shard for shard in fresh if shard not in notes]
        notes |= await signed(missing) if missing else {}
        self._drafts |= {shard: _Draft(heads[shard], note) for shard, note in notes.items()}
        owed = {shard: draft for shard, draft in self._drafts.items() if not draft.witnessed or shard.note != draft.note}
        # Those that went without last round are asked first: of many shards a slow witness signs others each time.
        return dict(sorted(owed.items(), key=lambda one: one[0].store.shard not in self.unwitnessed))

    def _asked(self, drafts: Mapping[Shard, _Draft]) -> tuple[dict[Shard, Asked], dict[Shard, Exception]]:
        asked, failed = {}, dict[Shard, Exception]()
        for shard, draft in drafts.items():
            try:
                there = cosigned(draft.note, self._witnesses.policy.quorum.witnesses)
                head = draft.head
                checkpoint = Checkpoint(shard.signer.name, head.size, head.root)
                nodes = shard.store.nodes(head.size)
                asked[shard] = Asked(draft.note, checkpoint, nodes, shard.signer.vkeys, frozenset(there))
            except Exception as error:  # a published line that does not verify: somebody changed it; or a defect
                failed[shard] = error
        return asked, failed

    def _say(self, drafts: Mapping[Shard, _Draft]) -> None:
        """Whether a quorum is missing, where it can be seen; a line when that begins, and when it ends."""
        before, now = bool(self.unwitnessed), {shard.store.shard for shard in self._shards()}
        self.unwitnessed = {name: leaves for name, leaves in self.unwitnessed.items() if name in now}
        for shard, draft in drafts.items():
            name = shard.store.shard
            if draft.witnessed and draft.note == shard.note:
                self._covered[name] = draft.head.size
            if draft.witnessed or draft.head.size == self._covered.get(name, 0):
                self.unwitnessed.pop(name, None)
            else:
                self.unwitnessed[name] = draft.head.size - self._covered.get(name, 0)
        if self.unwitnessed and not before:
            said = ", ".join(f"{name} {state}" for name, state in self._witnesses.states.items())
            then = "nothing is published" if self._witnesses.policy.closed else "published without"
            log.warning("the quorum of witnesses is missing, %s: %s", then, said)
        elif before and not self.unwitnessed:
            log.warning("the quorum of witnesses signs again")
