"""The log that the running service wrote, read by Tessera's fsck: from its directory and over HTTP, every shard."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from services.audit.cli import local_log
from services.audit.log import paths
from services.audit.log.trust import Trust, keys_of
from services.audit.log.verify import shards, vkeys
from shared.blobs import PosixStore
from shared.errors import TamperError
from tests.support.fsck import fsck, tlog
from tests.support.platform import Platform

pytestmark = pytest.mark.platform


def signing(root: Path, shard: str, published: Sequence[str]) -> str:
    """The published key that signed the shard's checkpoint: an older one where nothing came since the log's key was rotated."""
    note = (root / shard / paths.CHECKPOINT).read_bytes()
    for key in reversed(keys_of(note.partition(b"\n")[0].decode(), published)):
        try:
            Trust.of([key]).checkpoint(note, shard)
        except TamperError:
            continue
        return key
    raise AssertionError(f"{shard}: signed by no key that the log publishes")


def test_every_shard_is_whole_to_other_peoples_verifiers(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_STATE", str(platform.state.root))
    root = local_log()
    files, entries = PosixStore(root), 0
    listed = shards(files)
    assert listed
    for shard in listed:
        key = signing(root, shard, vkeys(files))
        for where in (root / shard, f"{platform.origin}/log/{shard}"):
            found = fsck(where, key)
            assert found.whole, f"{where}: {found.said}"
            entries += found.size
        done = tlog(root / shard, key)
        assert done.returncode == 0, done.stderr
    assert entries > 0, "the platform was seeded, and its log is empty"
