"""`kept keys rotate`: from a new version of every key to old ones that open nothing, one step after the other.

1. The versions before are noted (vault.py): from here on a rotation is under way. 2. Each key gets its new version; what is
wrapped now is wrapped under it. 3. The services rewrap their people's keys by themselves (shared/rewrap.py), until none
stands under an older version and none that was wrapped before is on its way to be committed; and they make blind indexes and
locators anew (shared/renewal.py). Whom older software forgot stands on the list of the forgotten by a locator alone, and would
be lost from it with the old version: their marks are waited for, too, unless who operates Kept says otherwise. 4. A set is
taken and drilled by whoever always does; its report says how old the oldest wrapping of a living key is. 5. Only with such a
report, and only while 3 holds, the oldest set that is kept is drilled with the keyrings of the newest: as it is restored from
then on. 6. Only when that one has passed, too, the old versions are trimmed: no keyring of an older set can be unwrapped any
more. 7. The store remembers the horizon, for who restores an older set; an event says so, and the note of 1 goes.

A crash between any two leaves what the next call finds; a crash after 7's event says it once all the same (the inbox).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from services.backup.drills import actions as drills
from services.backup.events import HorizonMoved
from services.backup.formats import horizon as formats
from services.backup.formats.report import Report
from services.backup.restore import horizons
from services.backup.rotation import vault as operator
from services.backup.rotation.model import HOLDERS, Key, Step, due, kek, next_step, untrimmed
from services.backup.rotation.proofs import newest_proof, oldest_kept, oldest_outlives
from services.backup.sets.take import SYSTEM
from shared.blobs.store import BlobStore
from shared.keys.vault import Vault
from shared.notes.note import VaultSigner, sign_note
from shared.work import Door


@dataclass(frozen=True)
class Rotation:
    """The parts: `vault` is the operator's, `door`, `store` and `signer` are backup's. `names`: the keys that are rotated;
    `settled`: whether no holder has a living key, nor one on its way, nor a hash under an older version; `unmarked`: how many
    forgotten identifiers would be lost with the old versions (docs/decisions/0046); `leave_unmarked`: who operates Kept decided
    that they may be."""

    vault: Vault
    door: Door
    store: BlobStore
    signer: VaultSigner
    names: Sequence[str]
    settled: Callable[[Sequence[str]], Awaitable[bool]]
    unmarked: Callable[[], Awaitable[int]]
    leave_unmarked: bool = False

    async def look(self) -> Step:
        """The step that is next."""
        return (await self._found()).step

    async def step(self) -> Step:
        """Do what is next, and say what it was. `REWRAP`, `MARK`, `DRILL`: nothing was done, others must do it; `REHEARSE`: it
        was asked for, and the service does it. Two at once do one step after the other."""
        async with self.door.begin(SYSTEM) as w:
            await w.in_turn("rotation")
            found = await self._found()
            await self._do(found)
        return found.step

    async def _do(self, found: "_Found") -> None:
        if found.step == Step.BEGIN:
            await operator.begin(self.vault, found.keys)
        elif found.step == Step.ROTATE:
            for name in due(found.keys, found.before or {}):
                await self.vault.rotate(name)
        elif found.step == Step.REHEARSE:
            await self._rehearse()
        elif found.step == Step.TRIM:
            for name in untrimmed(found.keys):
                await operator.trim(self.vault, next(key for key in found.keys if key.name == name))
        elif found.step == Step.TELL:
            await self._tell(found.keys, found.before or {}, found.proof)

    async def _rehearse(self) -> None:
        oldest = await oldest_kept(self.door, self.store)
        if oldest is not None:
            async with self.door.begin(SYSTEM) as w:
                await drills.rehearse(w, oldest)

    async def _tell(self, keys: Sequence[Key], before: Mapping[str, int], proof: Report | None) -> None:
        found = {key.name: key.oldest for key in keys}
        oldest = {one: found[kek(one)] for one in HOLDERS}
        if proof is not None:
            note = await sign_note(formats.encode(oldest), self.signer)
            await asyncio.to_thread(horizons.remember, self.store, proof.drill_id, note)
        once = "rotation " + " ".join(f"{name}:{version}" for name, version in sorted(before.items()))
        async with self.door.inbox(SYSTEM, once) as w:
            if w is not None:
                keks = {kek(one): version for one, version in oldest.items()}
                w.publish(HorizonMoved(keys=keks, drill_id=proof.drill_id if proof else None))
        await operator.end(self.vault)

    async def _found(self) -> "_Found":
        keys = await operator.look(self.vault, self.names)
        before = await operator.before(self.vault)
        if before is None:
            step = next_step(keys, None, settled=False, unmarked=0, proof=None, oldest_outlives=False)
            return _Found(keys, None, None, step)
        settled = await self.settled(HOLDERS)
        unmarked = 0 if self.leave_unmarked else await self.unmarked()
        proof = await newest_proof(self.door, self.store, self.signer, keys)
        oldest = proof is not None and await oldest_outlives(self.door, self.store, self.signer, keys)
        step = next_step(keys, before, settled=settled, unmarked=unmarked, proof=proof, oldest_outlives=oldest)
        return _Found(keys, before, proof, step)


@dataclass(frozen=True)
class _Found:
    """How things are, and so what is next."""

    keys: Sequence[Key]
    before: Mapping[str, int] | None
    proof: Report | None
    step: Step
