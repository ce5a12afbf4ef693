"""The same events, one after another on the same machine: this log, Tessera's POSIX driver, a hash chain in PostgreSQL, and a
reader that keeps nothing. Entries that are durable and provable, per second, and bytes on disk for each."""

import asyncio
import base64
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from services.audit.log.entry import Place, encode_record
from shared.keys import ed25519
from shared.notes.note import ED25519, key_id, vkey
from shared.notes.tlogproof import checkpoint_head
from tests.bench import ingest, report, servers
from tests.support.fsck import MODULE, fsck
from tests.support.platform import free_port
from tests.support.postgres import server
from tests.support.tools import built_from

COUNT, COUNT_QUICK = 500_000, 20_000
TESSERA_SECONDS, TESSERA_SECONDS_QUICK = 40, 6
CHAIN_SECONDS, CHAIN_SECONDS_QUICK = 15, 2
WRITERS = 1_000  # of the hammer; with fewer it waits for itself
OPS_MAX = 50_000  # a second; the driver never gets there on this machine
NAME = "tessera.bench"
TOPIC = ingest.OWN
SEED = bytes(range(32))


def entry(n: int) -> bytes:
    return encode_record(
        Place(TOPIC, n % servers.PARTITIONS, n, 1_700_000_000_000), servers.headers(TOPIC, n), b"%d" % n, servers.value(n)
    )


def disk_bytes(root: Path) -> int:
    """What the files take, in blocks."""
    return sum(path.stat().st_blocks * 512 for path in root.rglob("*") if path.is_file())


@contextmanager
def running(log: Path, *command: object, **env: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("ab") as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out, env={**os.environ, **env})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def tessera(root: Path, seconds: int) -> tuple[float, float]:
    """(entries/s, bytes each) of Tessera's POSIX driver under Tessera's own hammer; its fsck judges the result."""
    package = "github.com/transparency-dev/tessera/"
    driver, hammer = built_from(MODULE, f"{package}cmd/conformance/posix"), built_from(MODULE, f"{package}internal/hammer")
    public, log, port = ed25519.public_of(SEED), root / "log", free_port()
    secret = base64.b64encode(ED25519 + SEED).decode()
    private = f"PRIVATE+KEY+{NAME}+{key_id(NAME, public).hex()}+{secret}"
    url = f"http://127.0.0.1:{port}"
    strain = (f"--num_writers={WRITERS}", f"--max_write_ops={OPS_MAX}", "--dup_chance=0", f"--leaf_min_size={len(entry(0))}")
    quiet = ("--num_readers_random=0", "--num_readers_full=0", "--show_ui=false")
    with running(root / "driver.log", driver, f"--storage_dir={log}", f"--listen=127.0.0.1:{port}", LOG_PRIVATE_KEY=private):
        _wait(lambda: _size(log) is not None, "the driver did not start")
        key = f"--log_public_key={vkey(NAME, public)}"
        with running(root / "hammer.log", hammer, f"--log_url={url}", f"--write_log_url={url}", key, *strain, *quiet):
            _wait(lambda: (_size(log) or 0) > 0, "the hammer wrote nothing")
            first, began = _size(log) or 0, time.perf_counter()
            time.sleep(seconds)
            rate = ((_size(log) or 0) - first) / (time.perf_counter() - began)
        time.sleep(3)  # what was on its way is published
    found = fsck(log, vkey(NAME, public))
    assert found.whole, found.said
    return rate, disk_bytes(log) / found.size


def _size(log: Path) -> int | None:
    path = log / "checkpoint"
    return checkpoint_head(path.read_text().partition("\n\n")[0] + "\n")[1] if path.exists() else None


def _wait(true: object, otherwise: str, seconds: float = 60.0) -> None:
    assert callable(true)
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, otherwise
        time.sleep(0.05)


def chain(connection: "psycopg.Connection[tuple[object, ...]]", rows: int, seconds: int) -> tuple[float, float]:
    """(rows/s, bytes each): each row's hash covers its event and the former row's hash; `rows` in a transaction, fsync on."""
    connection.execute("DROP TABLE IF EXISTS chain")
    connection.execute("CREATE TABLE chain (n bigint PRIMARY KEY, event bytea NOT NULL, hash bytea NOT NULL)")
    connection.commit()
    assert connection.execute("SHOW fsync").fetchone() == ("on",)
    n, last, began = 0, bytes(32), time.perf_counter()
    while time.perf_counter() - began < seconds:
        batch = []
        for _ in range(rows):
            event = entry(n)
            last = hashlib.sha256(last + event).digest()
            batch.append((n, event, last))
            n += 1
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO chain VALUES (%s, %s, %s)", batch)
        connection.commit()
    rate = n / (time.perf_counter() - began)
    size = connection.execute("SELECT pg_total_relation_size('chain')").fetchone()
    assert size is not None and isinstance(size[0], int)
    return rate, size[0] / n


async def measure(quick: bool) -> str:
    with servers.servers() as state:
        ours = await ingest.throughput(state, "customers", TOPIC, COUNT_QUICK if quick else COUNT)
    with report.workplace() as root:
        theirs = tessera(root, TESSERA_SECONDS_QUICK if quick else TESSERA_SECONDS)
    async with server() as urls:
        address = urls["audit"].set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as connection:
            seconds = CHAIN_SECONDS_QUICK if quick else CHAIN_SECONDS
            many, single = chain(connection, 1_000, seconds), chain(connection, 1, seconds)
    rows = [["a bare aiokafka reader, which keeps nothing", f"{ours.bare:,.0f}", "", "nothing"]]
    for name, (rate, size), proof in (
        ("**this log**, from Kafka", (ours.published, ours.bytes_each), "one entry, or all, by anybody with the key"),
        ("Tessera's POSIX driver, over HTTP from its hammer", theirs, "the same"),
        ("PostgreSQL, hash chain, 1,000 rows a transaction", many, "all, by whoever may read all rows"),
        ("PostgreSQL, hash chain, one row a transaction", single, "the same"),
    ):
        rows.append([name, f"{rate:,.0f}", f"{size:,.0f}", proof])
    return f"""
Entries of {len(entry(0))} bytes, one after another in the same run. Durable means fsynced before it counts; provable says what
can be shown afterwards. The ways in differ, and cost. This log takes batches from Kafka, and Kafka, PostgreSQL and Vault share
its machine. Tessera's driver takes each entry as an HTTP request, from {WRITERS:,} writers that run beside it, and answers
with an index. The chain is one client with one connection, and has no checkpoint that anybody signed. Disk is in blocks of the
file system.

{report.table(["what", "entries/s", "bytes on disk each", "provable afterwards"], rows)}
"""


def main() -> None:
    quick = report.arguments(__doc__).quick
    report.section("side-by-side", "Side by side", asyncio.run(measure(quick)), quick=quick)


if __name__ == "__main__":
    main()
