"""Cost by size: 1, 10 and 100 million leaves, one shard, the same batches. Throughput, memory and receipts should be flat.

Leaves are small canonical entries. Of the bundles only every hundredth is written (and the last one), so that a hundred million
fit on the disk; every tile is written and fsynced. Each size is a process of its own, so that its memory is its own.
"""

import asyncio
import json
import random
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

from services.audit.index.receipts import receipt
from services.audit.log import paths
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Kind, Place, encode_record, parse
from services.audit.log.store import ShardStore
from services.audit.log.tiles import Edge, load_edge
from shared.blobs import PosixStore
from shared.notes.note import LocalSigner, sign_note, vkey
from shared.notes.tlogproof import verify_receipt
from tests.bench import report

SIZES, SIZES_QUICK = (1_000_000, 10_000_000, 100_000_000), (100_000, 200_000)
BATCH = 50_000
KEPT = 100  # one bundle of so many is written
RECEIPTS = 200
SHARD = "bench.scale/0"
_PLACE = struct.Struct(">Q")


def entries(first: int, count: int) -> list[bytes]:
    """Canonical entries that differ in their offsets alone."""
    whole = encode_record(Place("bench.scale", 0, 0, 1_700_000_000_000), (), b"key", b'{"some":"thing"}')
    assert parse(whole).kind is Kind.RECORD
    at = whole.index(b"bench.scale") + len(b"bench.scale") + 4
    before, after = whole[:at], whole[at + 8 :]
    return [before + _PLACE.pack(offset) + after for offset in range(first, first + count)]


def kept(files: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """All tiles, and every KEPTth bundle."""
    for path, data in files:
        level, n, _ = paths.parse(path)
        if level != "entries" or n % KEPT == 0:
            yield f"{SHARD}/{path}", data


def grown(blobs: PosixStore, size: int) -> Edge:
    edge = Edge()
    while edge.size < size:
        files = kept(edge.append(entries(edge.size, min(BATCH, size - edge.size))))
        blobs.put_all_same([*files, *((f"{SHARD}/{path}", data) for path, data in edge.partials())])
    return edge


def one_size(size: int) -> dict[str, float]:
    """Grow a log, publish it, open it again as a restart does, and ask it for receipts."""
    signer = LocalSigner(f"bench.local/log/{SHARD}", bytes(32))
    with report.workplace() as root:
        blobs = PosixStore(root)
        began = time.perf_counter()
        edge = grown(blobs, size)
        took = time.perf_counter() - began
        store = ShardStore(blobs, SHARD)
        store.publish(asyncio.run(sign_note(Checkpoint(signer.name, size, edge.root()).text(), signer)))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began = time.perf_counter()
        assert load_edge(store.get, size).root() == edge.root()
        opened = time.perf_counter() - began
        waits, chance, keys = [], random.Random(1), [vkey(signer.name, signer.public)]
        for _ in range(RECEIPTS):
            index = chance.randrange(size // paths.WIDTH // KEPT) * KEPT * paths.WIDTH + chance.randrange(paths.WIDTH)
            began = time.perf_counter()
            text = receipt(blobs, SHARD, index)
            waits.append(time.perf_counter() - began)
            assert verify_receipt(text, keys).index == index
        return {"rate": size / took, "memory": memory, "open": opened, "receipt": sorted(waits)[RECEIPTS * 99 // 100]}


def in_a_process(size: int) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-m", "tests.bench.scale", str(size)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    if sys.argv[1:] and sys.argv[1].isdigit():
        print(json.dumps(one_size(int(sys.argv[1]))))
        return
    quick = report.arguments(__doc__).quick
    rows = []
    for size in SIZES_QUICK if quick else SIZES:
        found = in_a_process(size)
        times = [f"{found['open'] * 1000:.1f} ms", f"{found['receipt'] * 1000:.1f} ms"]
        rows.append([f"{size:,}", f"{found['rate']:,.0f}", f"{found['memory']:.0f} MB", *times])
        print(rows[-1], file=sys.stderr, flush=True)
    head = ["leaves", "leaves/s", "memory at most", "opening it again", f"a receipt ({RECEIPTS} of them, 99 of 100 within)"]
    text = f"""
Synthetic leaves (small canonical entries) in batches of {BATCH:,}: hashed, made into tiles, every tile fsynced; of the entry
bundles one of {KEPT} is written. One shard, one process. Opening is what a restart does: the edge is read back, whatever the
size. A receipt is made from files alone and checked.

{report.table(head, rows)}
"""
    report.section("scale", "One, ten and a hundred million leaves", text, quick=quick)


if __name__ == "__main__":
    main()
