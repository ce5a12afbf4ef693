"""A real restore: a set becomes a data directory that a PostgreSQL can be started on, with every erasure replayed.

1. files into a new directory; 2. a private server recovers them, takes keys that open where the set is from before the erasure
horizon, and replays the erasures, before anything else can look; 3. it stops cleanly; 4. row and event. Whatever fails, the
directory goes: half a restore must not be mistaken for one.
"""

import asyncio
import logging
import shutil

from services.backup.restore import actions, erasures, scratch
from services.backup.restore.fetch import fetch
from services.backup.restore.horizons import carry_over
from services.backup.restore.left_out import left_out
from services.backup.restore.replay_erasures import replay
from services.backup.sets.open import open_set
from services.backup.sets.take import SYSTEM
from services.backup.wiring import Tools
from shared.errors import KeptError

log = logging.getLogger("kept.backup")


async def restore(tools: Tools, restore_id: str, backup_id: str) -> None:
    """Leaves the cluster in `<state>/backup/restored/<end of the id>/data`; the row says how it ended."""
    root = tools.settings.restored / restore_id[-8:]
    try:
        opened = await open_set(tools, backup_id)
        place = await asyncio.to_thread(scratch.make, root, tools.settings.postgres)
        await fetch(opened.manifest, opened.identity, opened.get, place.data)  # 1
        async with scratch.serving(place, tools.settings.postgres):  # 2, 3
            carried = await carry_over(tools, place)
            erased = await erasures.known(tools.store)
            await replay(place, erased, tools.door.clock.now())
    except BaseException as error:
        await asyncio.to_thread(shutil.rmtree, root, True)
        if not isinstance(error, KeptError):
            raise
        log.warning("restore failed: %s", error.detail)
        async with tools.door.begin(SYSTEM) as w:
            await actions.fail(w, restore_id, error.code)
        return
    async with tools.door.begin(SYSTEM) as w:  # 4
        await actions.finish(w, restore_id, erasures.people(erased), left_out(carried, erased))
