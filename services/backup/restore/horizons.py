"""The erasure horizon, and a set from before it: its keyring opens nothing, so the living get theirs from a newer set.

What the newer set knows as shredded is shredded in the older one too; whoever was erased since is replayed as always.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from services.backup.formats import horizon as formats
from services.backup.formats import layout
from services.backup.restore import scratch
from services.backup.restore.fetch import fetch
from services.backup.restore.keyrings import ages, column, renew
from services.backup.restore.left_out import Carried
from services.backup.restore.lists import carry_lists
from services.backup.restore.replay_erasures import keyring_in
from services.backup.restore.scratch import Scratch
from services.backup.sets import actions as sets
from services.backup.sets.open import open_set
from services.backup.sets.take import SYSTEM
from services.backup.wiring import Tools
from shared.blobs.store import BlobStore
from shared.errors import UnavailableError
from shared.notes.note import verify_note

log = logging.getLogger("kept.backup")


def remember(store: BlobStore, drill_id: str, note: str) -> None:
    """Durable when this returns. Once: whoever comes again finds it there."""
    if layout.horizon(drill_id) not in set(store.list("horizon")):
        store.put_new(layout.horizon(drill_id), note.encode())


async def newest(tools: Tools) -> Mapping[str, int]:
    """holder -> the oldest version of its KEK that opens anything; empty before the first rotation. TamperError."""
    paths = sorted(await asyncio.to_thread(lambda: list(tools.store.list("horizon"))))
    if not paths:
        return {}
    note = await asyncio.to_thread(tools.store.get, paths[-1])
    return formats.parse(verify_note(note.decode(), await tools.signer.vkeys()))


async def carry_over(tools: Tools, place: Scratch, *, as_trimmed: bool = False) -> Carried:
    """Bring the keyrings of a served set up to the horizon: those that are older are taken from the newest drilled set, with
    its lists (lists.py). `as_trimmed`: as if everything older than that set's own keys were beyond the horizon. Returns whose
    they were, and of whom it has them. UnavailableError where there is no such set: then nobody could be read."""
    horizon = await newest(tools)
    if not as_trimmed and not await _older(place, horizon):
        return Carried()
    async with _newest_drilled(tools, place) as donor:
        if as_trimmed:
            horizon = await _lowest(donor)
        old = await _older(place, horizon)
        if await _older(donor, {holder: horizon[holder] for holder in old}):
            raise UnavailableError("no drilled set has keys that open: take one and drill it")
        had, shredded, known = dict[str, set[str]](), dict[str, set[str]](), dict[str, set[str]]()
        for holder in old:
            async with keyring_in(place, holder) as mine, keyring_in(donor, holder) as theirs:
                assert mine is not None and theirs is not None
                had[holder] = await column(mine[0], mine[1].keyed)
                shredded[holder] = await column(theirs[0], theirs[1].noted)
                known[holder] = shredded[holder] | await column(theirs[0], theirs[1].keyed)
                await renew(*mine, theirs[0])
        if old:
            await carry_lists(place, donor)
    return Carried(had, known, shredded)


@asynccontextmanager
async def _newest_drilled(tools: Tools, place: Scratch) -> AsyncIterator[Scratch]:
    """Its cluster, served beside `place`."""
    root = tools.settings.scratch / f"n-{place.root.name}"
    try:
        donor = await asyncio.to_thread(scratch.make, root, tools.settings.postgres)
        async with tools.door.begin(SYSTEM) as w:
            drilled = await sets.newest(w, "drilled")
        if drilled is None:
            raise UnavailableError("no set is drilled: the keys of those who live are in none")
        opened = await open_set(tools, drilled.id)
        await fetch(opened.manifest, opened.identity, opened.get, donor.data)
        async with scratch.serving(donor, tools.settings.postgres):
            yield donor
    finally:
        await asyncio.shield(asyncio.to_thread(scratch.remove, root))


async def _older(place: Scratch, horizon: Mapping[str, int]) -> list[str]:
    """Whose keyring has a living key from before `horizon`."""
    return [holder for holder in sorted(horizon) if await _is_older(place, holder, horizon[holder])]


async def _lowest(place: Scratch) -> Mapping[str, int]:
    """holder -> the oldest version of its KEK that wraps a living key."""
    found = {}
    for name in await scratch.databases(place):
        async with keyring_in(place, name) as one:
            if one is not None:
                found[name] = (await ages(*one)).lowest
    return found


async def _is_older(place: Scratch, holder: str, oldest: int) -> bool:
    async with keyring_in(place, holder) as found:
        if found is None:
            return False
        said = await ages(*found)
        return said.living > 0 and said.lowest < oldest
