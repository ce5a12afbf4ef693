"""The power goes after any system call of an append: what was not fsynced is lost, all of it or any part. fsck is the judge.

The calls of one real append are recorded with strace and played on a model of a disk (disk.py); from each state that the
disk may then be in, with the head that PostgreSQL had committed, another owner goes on.
"""

import asyncio
import shutil
from pathlib import Path

import pytest

from services.audit.log.head import HeadState
from services.audit.log.store import ShardStore
from shared.blobs import PosixStore
from shared.errors import TamperError
from tests.crash import extent, strace
from tests.crash.disk import CALLS, Call, Disk, calls, distinct, lay
from tests.crash.worker import head_mark, main_alone, started
from tests.support.logs import NAME, START, grow, judged, open_shard
from tests.unit.services.audit.log.naive import MemoryHeads

BEFORE, AFTER = 250, 610
RANDOM_STATES = extent.times("STATES", 2, 100)  # for each call, besides the two extremes


async def _recorded(root: Path, head: HeadState, out: Path) -> list[Call]:
    with started(main_alone, root, head, AFTER) as (process, pipe):
        with strace.attached(process.pid or 0, out, "-xx", "-s", "1000000", "-e", f"trace={CALLS}"):
            pipe.send("go")
            await asyncio.to_thread(process.join, 60)
        assert process.exitcode == 0
    return list(calls(out.read_text()))


def _moved(call: Call, head: HeadState) -> HeadState:
    """The head that PostgreSQL has after the call."""
    if call.name != "unlink" or not (said := call.texts[0].decode()).startswith(head_mark(head).partition("head")[0]):
        return head
    size, root = said.split("/")[-2:]
    return HeadState(head.shard, head.generation, head.base, int(size), bytes.fromhex(root))


async def test_power_cut_after_any_call(tmp_path: Path) -> None:
    strace.required()
    root, heads, chance = tmp_path / "log", MemoryHeads(START), extent.chance()
    await grow(lambda: open_shard(PosixStore(root), heads), BEFORE, BEFORE)
    disk, head = Disk.of(root), heads.state
    recorded = await _recorded(root, head, tmp_path / "strace")
    judged(root, AFTER)
    tried = 0
    for call in recorded:
        before, head = head, _moved(call, head)
        if not disk.apply(call) and head == before:
            continue
        states = [disk.after_power_cut(lambda: False), disk.after_power_cut(lambda: True)]
        states += [disk.after_power_cut(lambda: chance.random() < 0.5) for _ in range(RANDOM_STATES)]
        for state in distinct(states):
            again = tmp_path / "again"
            again.mkdir()
            lay(state, again)
            left = MemoryHeads(head)
            await grow(lambda h=left, r=again: open_shard(PosixStore(r), h), AFTER, chance.choice((100, AFTER)))  # type: ignore[misc]
            judged(again, AFTER)
            shutil.rmtree(again)
            tried += 1
    assert head.size == AFTER
    lay(disk.after_power_cut(lambda: False), tmp_path / "end")
    _, published = ShardStore(PosixStore(tmp_path / "end"), NAME).published()
    assert published == AFTER, "what was published, and seen by others, is taken back by nothing"
    assert tried > 50, "the append made hardly any call that the model saw"


@pytest.mark.parametrize("file", ["tile/entries/001", "tile/0/001"])
async def test_a_disk_that_lied_is_told_and_never_signed_over(tmp_path: Path, file: str) -> None:
    """A torn file under its final name cannot come from a power cut (above): whoever meets one stops."""
    heads = MemoryHeads(START)
    await grow(lambda: open_shard(PosixStore(tmp_path), heads), BEFORE, BEFORE)
    before = (tmp_path / NAME / "checkpoint").read_bytes()
    torn = tmp_path / NAME / file
    torn.parent.mkdir(parents=True, exist_ok=True)
    torn.write_bytes(b"\x00" * 100)
    with pytest.raises(TamperError):
        await grow(lambda: open_shard(PosixStore(tmp_path), heads), AFTER, AFTER)
    assert (tmp_path / NAME / "checkpoint").read_bytes() == before
    judged(tmp_path, BEFORE)
