"""One flipped byte in a copy of the log, and what the verifier says about it. The real log is only read."""

import shutil
import tempfile
from pathlib import Path

from deploy.local.stage import Stage, expect


def in_a_copy(stage: Stage) -> str:
    log = stage.state.root / "blobs" / "audit" / "log"
    expect(log.is_dir(), "there is no log on disk")
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work) / "log"
        shutil.copytree(log, copy)
        victim = max((path for path in copy.rglob("*") if "entries" in path.parts and path.is_file()), key=_size)
        victim.chmod(0o600)
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
        code, printed = stage.run("audit", "verify", "--dir", str(copy), good=(0, 1, 2, 3))
    expect(code != 0, "a flipped byte in the log was not found")
    return next((line.strip() for line in printed.splitlines() if line.strip()), f"exit {code}")


def _size(path: Path) -> int:
    return path.stat().st_size
