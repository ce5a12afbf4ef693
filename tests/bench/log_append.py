"""How fast the log takes entries, beside what it cannot be faster than: hashing the same leaves and writing the same bytes.

    make bench          writes docs/benchmarks.md

In one run, on one machine: (1) bare: SHA-256 over each leaf, and one fsynced file per batch; (2) ours: bundles, tiles, partial
tiles and edges for every batch, each file durable (shared/blobs), without Kafka, PostgreSQL and the signature.
"""

import asyncio
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.store import ShardStore
from services.audit.log.tiles import Edge
from services.audit.log.verify import Fault, verify_shard
from shared.blobs import PosixStore
from shared.notes.note import LocalSigner, sign_note, vkey

ENTRIES = 200_000
BATCH = 5_000
VALUE_BYTES = 400  # about 500 bytes with headers
REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def batches() -> list[list[bytes]]:
    headers = (("ce_id", b"0" * 36), ("ce_type", b"kept.bench.thing.made.v1"))
    made = [
        encode(Entry(Kind.RECORD, Place("bench", 0, n, 1), headers, b"key", n.to_bytes(8, "big") * (VALUE_BYTES // 8)))
        for n in range(ENTRIES)
    ]
    return [made[i : i + BATCH] for i in range(0, ENTRIES, BATCH)]


def timed(do: Callable[[], None]) -> float:
    started = time.perf_counter()
    do()
    return ENTRIES / (time.perf_counter() - started)


def bare(root: Path, work: list[list[bytes]]) -> None:
    for number, batch in enumerate(work):
        for entry in batch:
            hashlib.sha256(b"\x00" + entry).digest()
        with (root / str(number)).open("wb") as file:
            file.write(b"".join(batch))
            file.flush()
            os.fsync(file.fileno())


def ours(store: ShardStore, work: list[list[bytes]], edge: Edge) -> None:
    for batch in work:
        for path, data in [*edge.append([store.fitted(e) for e in batch]), *edge.partials()]:
            store.put(path, data)


def main() -> None:
    work = batches()
    found: list[Fault] = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("KEPT_BENCH_DIR")) as directory:
        root = Path(directory)
        (root / "bare").mkdir()
        floor = timed(lambda: bare(root / "bare", work))
        blobs, edge = PosixStore(root / "log"), Edge()
        store = ShardStore(blobs, "bench/0")
        append = timed(lambda: ours(store, work, edge))
        signer = LocalSigner("bench.local/log/bench/0", bytes(32))
        store.publish(asyncio.run(sign_note(Checkpoint(signer.name, edge.size, edge.root()).text(), signer)))
        keys = [vkey(signer.name, signer.public)]
        verify = timed(lambda: found.extend(verify_shard(blobs, "bench/0", keys).faults))
        assert not found, found[:3]
        files = [p for p in (root / "log").rglob("*") if p.is_file()]
        partial = sum(p.stat().st_size for p in files if ".p/" in p.as_posix())
        size = sum(p.stat().st_size for p in files)
    payload = sum(len(e) for batch in work for e in batch)
    kernel = platform.release().partition("-")[0]
    text = f"""# Benchmarks

Made by `make bench` on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},
Linux {kernel}. {ENTRIES} entries of {payload // ENTRIES} bytes, batches of {BATCH}, one shard, one process.
The machine is not isolated: expect other figures on yours.

| what | entries/s | of the floor |
|---|---|---|
| floor: SHA-256 of every leaf, one fsynced file per batch | {floor:,.0f} | 100 % |
| the log: bundles, tiles and partial tiles, every file durable | {append:,.0f} | {100 * append / floor:.0f} % |
| verify everything again from the files | {verify:,.0f} | |

On disk: {size / ENTRIES:.0f} bytes per entry of {payload // ENTRIES}; {partial / ENTRIES:.0f} of them are partial tiles
and bundles, which stay for every published size.
Not in these figures: reading from Kafka, sealing, PostgreSQL's head, Vault's signature, the search index.
"""
    REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
