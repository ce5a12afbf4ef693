"""SIGKILL at random instants of a process that appends, again and again, and one more that finishes. fsck is the judge."""

import asyncio
import os
import random
from pathlib import Path

from tests.crash.worker import Database, own, owner
from tests.support.logs import judged

GOAL = 20_000
KILLS = int(os.environ.get("KEPT_CRASH_KILLS", "25"))
SECONDS_MAX = 0.25  # a life lasts at most that long: some die in their first append, some after many
STEPS = (1, 7, 250, 256, 700)


async def test_killed_at_random_instants(tmp_path: Path, database: Database) -> None:
    seed = int(os.environ.get("KEPT_CRASH_SEED", "0")) or random.randrange(1 << 32)
    print(f"KEPT_CRASH_SEED={seed}")  # shown when the test fails
    chance = random.Random(seed)
    alive = 0
    for _ in range(KILLS):
        with owner(database.url, tmp_path, GOAL, chance.choice(STEPS)) as (process, pipe):
            pipe.send("go")
            await asyncio.sleep(chance.uniform(0, SECONDS_MAX))
            alive += process.is_alive()
            process.kill()
    assert alive > KILLS // 2, "most owners were done before they were killed"
    await own(database.heads, tmp_path, GOAL, 5_000)
    judged(tmp_path, GOAL)
