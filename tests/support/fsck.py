"""Judges of a log that are not ours: Tessera's fsck, and golang.org/x/mod/sumdb/tlog (tests/foreign)."""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.tools import built_from

MODULE = Path(__file__).parents[1] / "foreign"  # pins the versions
FSCK = "github.com/transparency-dev/tessera/cmd/fsck"
WORKERS = 64  # also the length of its queue: with fewer, fsck hangs when a worker stops at the first fault
SECONDS_MAX = 120
_WHOLE = re.compile(r"Successfully fsck'd log with size (\d+) and root \S+ \(([0-9a-f]{64})\)")


@dataclass(frozen=True)
class Verdict:
    """`size` and `root` of a log that is whole; else `said`: what the judge found."""

    size: int
    root: str
    said: str

    @property
    def whole(self) -> bool:
        return bool(self.root)


def fsck(shard: Path | str, vkey: str) -> Verdict:
    """Tessera's verdict on the shard in a directory or at a URL. It reads every entry and tile again.

    Its exit code is 0 whatever it found, so only its own word that the log is whole counts.
    """
    url = shard if isinstance(shard, str) else f"file://{shard}"
    program = built_from(MODULE, FSCK)
    with tempfile.NamedTemporaryFile("w", suffix=".vkey") as key:
        key.write(vkey)
        key.flush()
        command = [program, f"--storage_url={url.rstrip('/')}/", f"--public_key={key.name}", f"--N={WORKERS}", "--ui=false"]
        done = subprocess.run([*command, "--logtostderr"], capture_output=True, text=True, timeout=SECONDS_MAX)
    found = _WHOLE.search(done.stderr)
    if found is None or done.returncode:
        return Verdict(0, "", done.stderr[-2000:] or f"exit code {done.returncode}")
    return Verdict(int(found[1]), found[2], "")


def tlog(
    shard: Path, vkey: str, *, receipts: Sequence[str] = (), consistency: Sequence[tuple[int, str, list[str]]] = ()
) -> "subprocess.CompletedProcess[str]":
    """The verdict of tests/foreign/tlog on a shard's directory, on receipts of its entries and on proofs of consistency, each
    (older size, older root, hashes) in hex. Exit code 0: all of it holds."""
    asked = {
        "dir": str(shard),
        "vkey": vkey,
        "receipts": list(receipts),
        "consistency": [{"size": size, "root": root, "path": path} for size, root, path in consistency],
    }
    return subprocess.run(
        [built_from(MODULE, "./tlog")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
