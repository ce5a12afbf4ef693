"""The log that the running service wrote, read by Tessera's fsck: from its directory and over HTTP, every shard."""

import pytest

from services.audit.cli import local_log
from services.audit.log.verify import shards, vkeys
from shared.blobs import PosixStore
from shared.notes.note import parse_vkey
from tests.support.fsck import fsck, tlog
from tests.support.platform import Platform

pytestmark = pytest.mark.platform


def test_every_shard_is_whole_to_other_peoples_verifiers(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_STATE", str(platform.state.root))
    root = local_log()
    files, entries = PosixStore(root), 0
    keys = [(parse_vkey(text).name, text) for text in vkeys(files)]
    listed = shards(files)
    assert listed
    for shard in listed:
        key = [text for name, text in keys if name.endswith(f"/{shard}")][-1]  # the newest signs
        for where in (root / shard, f"{platform.origin}/log/{shard}"):
            found = fsck(where, key)
            assert found.whole, f"{where}: {found.said}"
            entries += found.size
        done = tlog(root / shard, key)
        assert done.returncode == 0, done.stderr
    assert entries > 0, "the platform was seeded, and its log is empty"
