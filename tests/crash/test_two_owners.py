"""Two owners of one shard at once, as while a rebalance is under way: one is stopped in the middle of a batch and wakes up
later, when the other has gone on. Neither forks the log, and no checkpoint moves backwards. fsck is the judge."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

from services.audit.log.checkpoint import parse
from shared.errors import ConflictError
from shared.notes.note import verify_note
from tests.crash import extent
from tests.crash.worker import Database, own, owner
from tests.support.logs import NAME, START, TOPIC, VKEY, judged

STOPS = extent.times("STOPS", 20, 400)
GOAL, OVERLAP = 6_000, 300 * STOPS  # records; of the second, as many as keep both at work while they are stopped
JOIN_SECONDS_MAX = 3.0 * STOPS  # a busy machine may need most of it
TRIES = 10_000  # an owner that lost a race tries again until the log has GOAL records


@asynccontextmanager
async def _watched(root: Path) -> AsyncIterator[list[int]]:
    """The sizes of the checkpoints that were published meanwhile; each must be signed, and none smaller than before."""
    sizes: list[int] = [0]

    async def watch() -> None:
        while True:
            note = (root / NAME / "checkpoint").read_text()
            sizes.append(parse(verify_note(note, [VKEY])).size)
            assert sizes[-1] >= sizes[-2], f"a checkpoint of {sizes[-2]} was replaced by one of {sizes[-1]}"
            await asyncio.sleep(0.002)

    task = asyncio.create_task(watch())
    try:
        yield sizes
    finally:
        failed = task.done()
        task.cancel()
        if failed:
            task.result()


async def test_owners_that_overlap(tmp_path: Path, database: Database) -> None:
    chance = extent.chance()
    url = database.url
    with owner(url, tmp_path, OVERLAP, 97, TRIES) as (one, go_one), owner(url, tmp_path, OVERLAP, 61, TRIES) as (two, go_two):
        async with _watched(tmp_path) as sizes:
            go_one.send("go")
            go_two.send("go")
            for _ in range(STOPS):
                sleeper = chance.choice((one, two))
                if not sleeper.is_alive():
                    break
                try:
                    os.kill(sleeper.pid or 0, signal.SIGSTOP)
                    await asyncio.sleep(chance.uniform(0, 0.1))
                    os.kill(sleeper.pid or 0, signal.SIGCONT)
                except ProcessLookupError:  # it was about to end: below it must have ended well
                    break
                await asyncio.sleep(chance.uniform(0, 0.05))
            for process in (one, two):
                await asyncio.to_thread(process.join, JOIN_SECONDS_MAX)
                assert process.exitcode == 0, "an owner did not get to the end"
    assert len(set(sizes)) > 10, "hardly any checkpoint was seen"
    judged(tmp_path, OVERLAP)


async def test_an_owner_that_slept_while_the_other_finished(tmp_path: Path, database: Database) -> None:
    """It was stopped with a batch in its hands; what it wakes up to is another's log."""
    with owner(database.url, tmp_path, GOAL, 500, TRIES) as (zombie, go):
        go.send("go")
        while not list(tmp_path.glob(f"{NAME}/tile/entries/*")):
            await asyncio.sleep(0.001)
        os.kill(zombie.pid or 0, signal.SIGSTOP)
        await own(database.heads, tmp_path, GOAL, 333)
        async with _watched(tmp_path) as sizes:
            os.kill(zombie.pid or 0, signal.SIGCONT)
            await asyncio.to_thread(zombie.join, 60)
            assert zombie.exitcode == 0
    assert set(sizes) <= {0, GOAL}
    judged(tmp_path, GOAL)


async def test_the_head_moves_for_whoever_saw_it_last(database: Database) -> None:
    """The first of two guards: what comes behind it, the checkpoint's own compare-and-swap, hides in the other tests whether
    this one is there."""
    one, other = b"\1" * 32, b"\2" * 32
    seen = await database.heads.move(START, 2, one)
    stale = (START, replace(seen, size=1), replace(seen, root=other), replace(seen, topic_id=UUID(int=1)))
    for old, (size, root) in product(stale, ((3, other), (2, other), (1, one))):
        with pytest.raises(ConflictError):
            await database.heads.move(old, size, root)
        assert (now := await database.heads.newest(TOPIC, 0)) is not None
        assert (now.size, now.root) == (2, one), "an owner that slept moved the head of another"
    assert (await database.heads.move(seen, 3, other)).size == 3
