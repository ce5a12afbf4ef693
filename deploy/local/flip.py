"""One flipped byte in a copy of the log, and what the verifier says about it. The real log is only read."""

import shutil
import tempfile
from pathlib import Path

from deploy.local.stage import Stage, StoryError, expect


def find_log(root: Path) -> Path:
    """The directory of the shards: the one under which `<topic>/<partition>/checkpoint` lies."""
    for checkpoint in sorted(root.rglob("checkpoint")):
        return checkpoint.parent.parent.parent
    raise StoryError("there is no log on disk")


def in_a_copy(stage: Stage) -> str:
    log = find_log(stage.state.root / "blobs" / "audit")
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work) / "log"
        shutil.copytree(log, copy)
        victim = max((path for path in copy.rglob("*") if "entries" in path.parts and path.is_file()), key=_size)
        victim.chmod(0o600)
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
        code, printed = stage.run("audit", "verify", "--path", str(copy), good=(0, 1, 2, 3))
    expect(code != 0, "a flipped byte in the log was not found")
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit {code}"


def _size(path: Path) -> int:
    return path.stat().st_size
