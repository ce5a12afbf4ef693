"""Every write of an append fails once "not persisted" and once "persisted"; so does the head's move. fsck is the judge."""

import shutil
from pathlib import Path

import pytest

from shared.blobs import PosixStore
from tests.crash.faults import FaultyHeads, FaultyStore, Plan
from tests.support.logs import START, grow, judged, open_shard
from tests.unit.services.audit.log.naive import MemoryHeads

BEFORE, AFTER = 250, 610  # the append fills a partial bundle, makes a whole one, and leaves a partial one
WRITES_AT_LEAST = 8  # three bundles, as many tiles, the head, the checkpoint: fewer, and faults were not injected


async def begun(root: Path, heads: MemoryHeads) -> None:
    await grow(lambda: open_shard(PosixStore(root), heads), BEFORE, BEFORE)


@pytest.mark.parametrize("persisted", [False, True], ids=["not persisted", "persisted"])
@pytest.mark.parametrize("same_owner", [False, True], ids=["new owner", "same owner"])
async def test_every_write_fails_once(tmp_path: Path, persisted: bool, same_owner: bool) -> None:
    """The shard goes on, in another process or in the one that met the fault, with other batches than before."""
    struck: list[str] = []
    while True:
        root = tmp_path / str(len(struck))
        plan = Plan(0, persisted)
        heads = FaultyHeads(START, plan)
        await begun(root, heads)
        plan.at, plan.count = len(struck) + 1, 0
        faulty = FaultyStore(root, plan)
        if same_owner:
            await grow(lambda f=faulty, h=heads: open_shard(f, h), AFTER, AFTER, tries=2)  # type: ignore[misc]
        else:
            try:
                await grow(lambda f=faulty, h=heads: open_shard(f, h), AFTER, AFTER)  # type: ignore[misc]
            except Exception:
                assert plan.struck
            await grow(lambda r=root, h=heads: open_shard(PosixStore(r), h), AFTER, 7 * len(struck) + 100)  # type: ignore[misc]
        judged(root, AFTER)
        shutil.rmtree(root)
        if not plan.struck:
            break
        struck.append(plan.struck)
    assert len(struck) >= WRITES_AT_LEAST, struck
    assert {"head", "crash.events/0/checkpoint"} <= set(struck)
