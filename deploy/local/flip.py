"""One flipped byte in a copy of the log, and what the verifier says about it. The real log is only read."""

import shutil
import tempfile
from pathlib import Path

from deploy.local.stage import Stage, expect

LEDGER_TOPIC = "kept.audit"  # its entries say what the checkpoints of the other shards were


def copied(log: Path, to: Path) -> Path:
    """A copy of a log that goes on meanwhile; it may be written.

    1. The ledger's checkpoints: what its entries say of other shards, those had said already. 2. The others'. 3. Only now is
    it looked up what else there is, so that it covers every checkpoint.
    """
    checkpoints = sorted(log.glob("*/*/checkpoint"), key=lambda path: not path.parts[-3].startswith(LEDGER_TOPIC))
    done = {path: _copied(path, log, to) for path in checkpoints}
    for path in log.rglob("*"):
        if path not in done and path.is_file() and not path.name.startswith(".tmp-"):
            _copied(path, log, to)
    return to


def _copied(path: Path, log: Path, to: Path) -> Path:
    target = to / path.relative_to(log)
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(path, target))  # not its mode: the store's files are read-only


def in_a_copy(stage: Stage) -> str:
    log = stage.state.root / "blobs" / "audit" / "log"
    expect(log.is_dir(), "there is no log on disk")
    with tempfile.TemporaryDirectory() as work:
        copy = copied(log, Path(work) / "log")
        victim = max((path for path in copy.rglob("*") if "entries" in path.parts and path.is_file()), key=_size)
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
        code, printed = stage.run("audit", "verify", "--dir", str(copy), good=(0, 1, 2, 3))
    expect(code != 0, "a flipped byte in the log was not found")
    return next((line.strip() for line in printed.splitlines() if line.strip()), f"exit {code}")


def _size(path: Path) -> int:
    return path.stat().st_size
