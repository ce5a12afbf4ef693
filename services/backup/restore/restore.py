"""A real restore: a set becomes a data directory that a PostgreSQL can be started on, with every erasure replayed.

1. files into a new directory; 2. a private server recovers them and replays the erasures, before anything else can
look; 3. it stops cleanly; 4. row and event. Whatever fails, the directory goes: half a restore must not be mistaken
for one.
"""

import asyncio
import logging
import shutil

from services.backup.restore import actions, erasures, scratch
from services.backup.restore.fetch import fetch
from services.backup.restore.replay_erasures import replay
from services.backup.sets.open import open_set
from services.backup.sets.take import SYSTEM
from services.backup.wiring import Wired
from shared.errors import KeptError

log = logging.getLogger("kept.backup")


async def restore(wired: Wired, restore_id: str, backup_id: str) -> None:
    """Leaves the cluster in `<state>/backup/restored/<end of the id>/data`; the row says how it ended."""
    root = wired.settings.restored / restore_id[-8:]
    try:
        opened = await open_set(wired, backup_id)
        place = await asyncio.to_thread(scratch.make, root, wired.settings.postgres)
        await fetch(opened.manifest, opened.identity, opened.get, place.data)  # 1
        async with scratch.serving(place, wired.settings.postgres):  # 2, 3
            erased = await erasures.known(wired.store)
            await replay(place, erased, wired.door.clock.now())
    except BaseException as error:
        await asyncio.to_thread(shutil.rmtree, root, True)
        if not isinstance(error, KeptError):
            raise
        log.warning("restore failed: %s", error.detail)
        async with wired.door.begin(SYSTEM) as w:
            await actions.fail(w, restore_id, error.code)
        return
    async with wired.door.begin(SYSTEM) as w:  # 4
        await actions.finish(w, restore_id, sum(map(len, erased.values())))
