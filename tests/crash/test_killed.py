"""SIGKILL at random instants of a process that appends, again and again, and one more that finishes. fsck is the judge."""

import asyncio
from pathlib import Path

from tests.crash import extent
from tests.crash.worker import Database, own, owner
from tests.support.logs import TOPIC, judged

NEVER = 10**9  # records: no owner gets so far, so each is killed at work
MORE = 5_000  # appended at the end by one that nobody kills
KILLS = extent.times("KILLS", 25, 400)
SECONDS_MAX = 0.25  # a life lasts at most that long: some die in their first append, some after many
STEPS = (1, 7, 250, 256, 700)


async def test_killed_at_random_instants(tmp_path: Path, database: Database) -> None:
    chance = extent.chance()
    for _ in range(KILLS):
        with owner(database.url, tmp_path, NEVER, chance.choice(STEPS)) as (process, pipe):
            pipe.send("go")
            await asyncio.sleep(chance.uniform(0, SECONDS_MAX))
            assert process.is_alive(), "an owner ended by itself"
            process.kill()
    head = await database.heads.newest(TOPIC, 0)
    assert head is not None and head.size > 0, "nobody came to append anything"
    await own(database.heads, tmp_path, head.size + MORE, MORE)
    judged(tmp_path, head.size + MORE)
