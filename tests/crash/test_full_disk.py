"""The disk is full in the middle of an append: nothing that was published is lost, and the shard goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.audit.log.checkpoint import parse
from shared.blobs import PosixStore
from shared.errors import UnavailableError
from shared.notes.note import verify_note
from tests.support.logs import NAME, START, VKEY, grow, judged, open_shard
from tests.unit.services.audit.log.naive import MemoryHeads

GOAL, STEP = 3_000, 90
KILOBYTES = range(200, 1_200, 60)  # of the whole disk: it is full after a few batches, and each time at another file


def _mount(*options: str) -> None:
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode == 0:
        return
    reason = f"a small file system cannot be mounted here: {done.stderr.strip()}"
    if os.environ.get("KEPT_REQUIRE_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def small_disk(root: Path, kilobytes: int) -> Iterator[None]:
    _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(root))
    try:
        yield
    finally:
        subprocess.run(["umount", str(root)], check=True)


@pytest.mark.parametrize("kilobytes", KILOBYTES)
async def test_full_and_then_not(tmp_path: Path, kilobytes: int) -> None:
    with small_disk(tmp_path, kilobytes):
        blobs, heads = PosixStore(tmp_path), MemoryHeads(START)
        for _ in range(2):  # the second try meets the full disk at once
            with pytest.raises(UnavailableError):
                await grow(lambda: open_shard(blobs, heads), GOAL, STEP)
        published = parse(verify_note((tmp_path / NAME / "checkpoint").read_text(), [VKEY])).size
        judged(tmp_path, published)
        _mount("-o", "remount,size=64m", str(tmp_path))
        await grow(lambda: open_shard(blobs, heads), GOAL, STEP)
        judged(tmp_path, GOAL)
