"""The proofs without which no old version goes, both in drills' signed reports: that every living key was restored under the
newest version, and that the oldest set that is kept was restored with such keys.

A row only says where to look: what counts is the report in the store, under backup's own signature."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from sqlalchemy import ColumnElement, select

from services.backup.drills.tables import Drill
from services.backup.formats import layout
from services.backup.formats import report as formats
from services.backup.formats.report import Report
from services.backup.rotation.model import Key, outlives, proves
from services.backup.sets import actions as sets
from services.backup.sets.take import SYSTEM
from shared.blobs.store import BlobStore
from shared.errors import KeptError, NotFoundError
from shared.notes.note import VaultSigner, verify_note
from shared.work import Door

DRILLS_MAX = 50  # the newest; an older one cannot have seen what was rewrapped lately

log = logging.getLogger("kept.backup")


async def newest_proof(door: Door, store: BlobStore, signer: VaultSigner, keys: Sequence[Key]) -> Report | None:
    """The newest drill that proves these keys; None where none does."""
    async for report in _reports(door, store, signer):
        if proves(report, keys):
            return report
    return None


async def oldest_outlives(door: Door, store: BlobStore, signer: VaultSigner, keys: Sequence[Key]) -> bool:
    """Whether a drill showed that the oldest set that is kept needs none of the older versions."""
    oldest = await oldest_kept(door, store)
    if oldest is None:
        return False
    async for report in _reports(door, store, signer, Drill.backup_id == oldest):
        if report.backup_id == oldest and outlives(report, keys):
            return True
    return False


async def oldest_kept(door: Door, store: BlobStore) -> str | None:
    """The oldest set that counts as a backup: it was drilled, and its manifest is there."""
    async with door.begin(SYSTEM) as w:
        drilled = await sets.ids(w, "drilled")
    for backup_id in drilled:
        try:
            await asyncio.to_thread(store.get, layout.manifest(backup_id))
        except NotFoundError:
            continue
        return backup_id
    return None


async def _reports(door: Door, store: BlobStore, signer: VaultSigner, *of: ColumnElement[bool]) -> AsyncIterator[Report]:
    """Of the drills that passed, the newest first."""
    async with door.begin(SYSTEM) as w:
        query = select(Drill.id).where(Drill.state == "passed", *of).order_by(Drill.id.desc()).limit(DRILLS_MAX)
        ids = (await w.session.scalars(query)).all()
    vkeys = await signer.vkeys()
    for drill_id in ids:
        try:
            note = await asyncio.to_thread(store.get, layout.report(drill_id))
            report = formats.parse(verify_note(note.decode(), vkeys))
        except (NotFoundError, UnicodeDecodeError):
            continue
        except KeptError as error:  # changed, or not signed by us: said, and no proof
            log.error("the report of %s is no proof: %s", drill_id, error.code)
            continue
        if report.drill_id == drill_id:
            yield report
