"""`kept audit verify` over a whole log, from its files: entries a second, and memory of all its processes together."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from deploy.local import processes
from deploy.local.state import REPOSITORY
from services.audit.log.entry import Place, encode_record
from services.audit.log.store import KEYS, SHARDS
from shared.blobs import PosixStore
from tests.bench import report, servers
from tests.support.fsck import fsck
from tests.support.logs import BASE, NAME, START, TOPIC, VKEY, open_shard
from tests.unit.services.audit.log.naive import MemoryHeads

COUNT, COUNT_QUICK = 1_000_000, 50_000
BATCH = 10_000


async def made(root: Path, count: int) -> None:
    """A log of `count` events as they come from our own topics."""
    shard = await open_shard(PosixStore(root), MemoryHeads(START))
    for first in range(0, count, BATCH):
        batch = [
            encode_record(Place(TOPIC, 0, BASE + n, 1_700_000_000_000), servers.headers(TOPIC, n), b"%d" % n, servers.value(n))
            for n in range(first, first + BATCH)
        ]
        await shard.append(batch)
    PosixStore(root).replace(SHARDS, f"{NAME}\n".encode())
    PosixStore(root).replace(KEYS, f"{VKEY}\n".encode())


def verified(root: Path) -> tuple[float, int, float]:
    """(seconds, entries, most MB of the command and its children) of one run of the command."""
    command = [sys.executable, "-m", "deploy.cli", "audit", "verify", "--dir", str(root), "--keys", str(root / KEYS), "--json"]
    env = {**os.environ, "KEPT_STATE": str(root / "none"), "XDG_STATE_HOME": str(root / "none")}
    began, most = time.perf_counter(), 0.0
    process = psutil.Popen(command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        most = max(most, _memory(process))
        time.sleep(0.05)
    took = time.perf_counter() - began
    said = json.loads(process.stdout.read())
    assert said["ok"], said
    return took, said["entries"], most


def _memory(process: psutil.Process) -> float:
    """What the processes have for themselves, and what they share once (PSS)."""
    total = 0
    try:
        for one in processes.family(process):
            total += one.memory_full_info().pss
    except psutil.Error:  # one ended meanwhile
        return 0.0
    return total / 2**20


def main() -> None:
    quick = report.arguments(__doc__).quick
    count = COUNT_QUICK if quick else COUNT
    with report.workplace() as root:
        asyncio.run(made(root, count))
        small = root / "small"
        small.mkdir()
        asyncio.run(made(small, BATCH))
        start = verified(small)[0]  # nearly all of it is the start of the program
        took, entries, memory = verified(root)
        began = time.perf_counter()
        assert fsck(root / NAME, VKEY).size == count
        other = count / (time.perf_counter() - began)
    assert entries == count
    rows = [
        ["`kept audit verify`, the start of the program included", f"{count / took:,.0f}", f"{memory:.0f} MB"],
        ["`kept audit verify`, without it", f"**{(count - BATCH) / max(took - start, 0.001):,.0f}**", ""],
        ["Tessera's `fsck`, which does not parse entries", f"{other:,.0f}", ""],
    ]
    text = f"""
One shard of {count:,} entries with values of {servers.VALUE_BYTES} bytes, read from files that the system has in memory: every
entry parsed and compared with its place, every leaf and tile hashed again, up to the signed root. The command takes
{start:.1f} s for a log of {BATCH:,} entries, most of it its own start.

{report.table(["what", "entries/s", "memory, all processes"], rows)}
"""
    report.section("verify", "Verifying all of it", text, quick=quick)


if __name__ == "__main__":
    main()
