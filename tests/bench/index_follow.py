"""How fast the index follows the log: entries read, verified, parsed and committed per second, on a platform that runs.

    KEPT_STATE=.kept .venv/bin/python -m tests.bench.index_follow --count 200000

A log of the benchmark's own lies in a temporary directory; its rows go into a schema of its own, which is dropped. It prints
one line of JSON: entries per second, and the processor time of this process per entry.
"""

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.local.state import State
from services.audit.index.follow import Follower
from services.audit.index.read import Checkpoints
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.store import SHARDS, ShardStore
from services.audit.log.tiles import Edge
from shared.blobs import PosixStore
from shared.ids import new_event_id
from shared.notes.note import LocalSigner, sign_note, vkey
from tests.support.platform import Platform
from tests.support.trail import made_up_index

SHARD = "kept.customers/0"
START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = 5_000


def entry(n: int) -> bytes:
    """A look at one customer, as the customers service tells of it: about 740 bytes."""
    subject, actor = f"sub_{n % PEOPLE:032x}", f"sub_{n % 50:032x}"
    value = {
        "subjects": [subject], "fields": {"email": "masked", "phone": "masked", "city": "clear", "name": "clear"},
        "purpose": "support", "searched": [], "decision": ["customers.staff_may_look", "customers.own_and_reporting_line"],
    }  # fmt: skip
    headers = {
        "ce_specversion": "1.0", "ce_id": new_event_id(), "ce_type": "kept.customers.records.viewed.v1", "ce_subject": subject,
        "ce_source": "/services/customers", "ce_time": (START + timedelta(milliseconds=20 * n)).isoformat(), "ce_actor": actor,
        "content-type": "application/json", "traceparent": f"00-{n:032x}-{n:016x}-01",
    }  # fmt: skip
    pairs = tuple((name, text.encode()) for name, text in headers.items())
    return encode(Entry(Kind.RECORD, Place("kept.customers", 0, n, 1), pairs, subject.encode(), json.dumps(value).encode()))


async def write(root: Path, count: int) -> tuple[PosixStore, LocalSigner]:
    """A published log of `count` entries; not durable, which is not measured here."""
    store, edge, signer = ShardStore(PosixStore(root), SHARD), Edge(), LocalSigner(f"kept.bench/log/{SHARD}", b"b" * 32)
    for start in range(0, count, 256):
        for path, data in edge.append([entry(n) for n in range(start, min(start + 256, count))]):
            _plain(root / store.path(path), data)
    for path, data in edge.partials():
        _plain(root / store.path(path), data)
    note = await sign_note(Checkpoint(signer.name, edge.size, edge.root()).text(), signer)
    _plain(root / store.path("checkpoint"), note.encode())
    _plain(root / SHARDS, f"{SHARD}\n".encode())
    return PosixStore(root), signer


def _plain(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


async def main(count: int) -> None:
    platform = Platform(State.find())
    with tempfile.TemporaryDirectory() as root:
        blobs, signer = await write(Path(root), count)

        async def vkeys(_: str) -> list[str]:
            return [vkey(signer.name, signer.public)]

        async with made_up_index(platform) as door:
            follower = Follower(blobs, door, Checkpoints(vkeys), schema=door.schema)  # type: ignore[attr-defined]
            began, cpu = time.perf_counter(), time.process_time()
            done = await follower.catch_up()
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert done == count and not follower.faults
    said = {"entries": done, "seconds": round(seconds, 2), "per_second": round(done / seconds),
            "cpu_microseconds_per_entry": round(cpu / done * 1e6, 1)}  # fmt: skip
    print(json.dumps(said))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200_000)
    asyncio.run(main(parser.parse_args().count))
