"""How fast the index follows the log, beside a bare COPY of the same rows; and how fast it is built again from the log.

The service's process is this one: what it answers meanwhile is told by how long the event loop waits for its turn.
At a steady rate, the whole audit service runs, with Kafka: how long from the checkpoint that covers an event until it is found.
"""

import asyncio
import bisect
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import psutil
import psycopg
from psycopg import sql
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local import processes
from services.audit.base import TABLES
from services.audit.index import load, read, rows
from services.audit.index.follow import Follower
from services.audit.index.read import Checkpoints
from services.audit.index.rebuild import Rebuild
from services.audit.index.tables import LIVE
from services.audit.ingestion.process import made_for_batches
from services.audit.log.entry import Place, encode_record
from services.audit.log.store import ShardStore
from shared.access.decide import Policies
from shared.blobs import PosixStore
from shared.clock import SystemClock
from shared.db import make_engine, make_sessions
from shared.keys.keyring import Keyring
from shared.keys.vault import Vault
from shared.migrations import migrate
from shared.work import Door
from tests.bench import report, servers
from tests.support.insider import Insider
from tests.support.postgres import server
from tests.support.synthetic import write_log

COUNT, COUNT_QUICK = 300_000, 20_000
RATE, SECONDS, SECONDS_QUICK, STEADY = 10_000, 30, 4, "kept.dsar"
LOOK_SECONDS = 0.02
PEOPLE, STAFF = 5_000, 50
START = datetime(2026, 1, 1, tzinfo=UTC)
TICK_SECONDS = 0.002
Write = Callable[[int], bytes]
Seen = tuple[float, int, int]  # when, how many were published, how many of them indexed


def look(n: int) -> bytes:
    """An employee looks at one customer, as the customers service tells of it."""
    subject = f"sub_{n % PEOPLE:032x}"
    value = {
        "subjects": [subject], "fields": {"email": "masked", "phone": "masked", "city": "clear", "name": "clear"},
        "purpose": "support", "searched": [], "decision": ["customers.staff_may_look", "customers.own_and_reporting_line"],
    }  # fmt: skip
    return _record(n, "kept.customers.records.viewed.v1", subject, value)


def change(n: int) -> bytes:
    """A customer is changed: ciphertext, and the locators by which audit finds the person."""
    subject = f"sub_{n % PEOPLE:032x}"
    fields = dict.fromkeys(("email", "phone", "address"), "AQAB" + "c" * 80)
    locators = [f"loc_1_{hashlib.sha256(b'%d %d' % (n % PEOPLE, i)).hexdigest()}" for i in range(3)]
    value = {"fields": fields, "version": n, "locators": locators, "decision": ["customers.own"]}
    return _record(n, "kept.customers.customer.updated.v1", subject, value)


def _record(n: int, kind: str, subject: str, value: Mapping[str, object]) -> bytes:
    chance = hashlib.sha256(b"%d" % n).hexdigest()
    headers = {
        "ce_specversion": "1.0", "ce_id": f"01932b5c-0000-7000-8000-{n:012x}", "ce_type": kind,
        "ce_source": "/services/customers", "ce_time": (START + timedelta(milliseconds=20 * n)).isoformat(),
        "ce_actor": f"sub_{int(chance[:8], 16) % STAFF:032x}",
        "content-type": "application/json", "ce_subject": subject, "traceparent": f"00-{chance[:32]}-{chance[32:48]}-01",
    }  # fmt: skip
    pairs = [(name, said.encode()) for name, said in headers.items()]
    return encode_record(Place("kept.customers", 0, n, 1), pairs, subject.encode(), json.dumps(value).encode())


@dataclass(frozen=True)
class Followed:
    """Entries a second, microseconds of processor time per entry, seconds that the event loop waited."""

    rate: float
    own: float
    postgres: float
    wait_p99: float
    wait_most: float


class Meter:
    """Processor time of this process and of PostgreSQL, which it started; and the event loop's waits."""

    async def __aenter__(self) -> "Meter":
        self.waits: list[float] = []
        self._ticks = asyncio.create_task(self._tick())
        self._began, self._own, self._postgres = time.perf_counter(), time.process_time(), _children()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.own, self.postgres = time.process_time() - self._own, _children() - self._postgres
        self._ticks.cancel()
        self.waits.sort()

    async def _tick(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            self.waits.append(time.perf_counter() - began - TICK_SECONDS)

    def of(self, count: int) -> Followed:
        p99, most = self.waits[len(self.waits) * 99 // 100], self.waits[-1]
        return Followed(count / self.seconds, self.own / count * 1e6, self.postgres / count * 1e6, p99, most)


def _children() -> float:
    return sum(sum(one.cpu_times()) for one in processes.family(psutil.Process())[1:])


@asynccontextmanager
async def database(url: URL) -> AsyncIterator[tuple[AsyncEngine, Door]]:
    """The audit service's database, at its newest revision."""
    await asyncio.to_thread(migrate, "audit", url)
    engine = make_engine(url)
    keyring = Keyring("audit", cast(Vault, None), TABLES)  # nothing is sealed here
    try:
        yield engine, Door("audit", make_sessions(engine), SystemClock(), Policies.load(), keyring)
    finally:
        await engine.dispose()


async def emptied(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"TRUNCATE {LIVE}.events, {LIVE}.about, {LIVE}.positions, {LIVE}.known_locators"))


def bare_copy(url: URL, batches: list[load.Prepared]) -> float:
    """Seconds in which the same rows go into the same tables, and nothing else is done."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        began = time.perf_counter()
        for batch in batches:
            for table, columns in rows.COLUMNS.items():
                names = sql.SQL(", ").join(map(sql.Identifier, columns))
                statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(LIVE, table), names)
                with connection.cursor().copy(statement) as stream:
                    stream.write(batch.rows[table])
            connection.commit()
        return time.perf_counter() - began


async def one(url: URL, root: Path, count: int, write: Write) -> tuple[Followed, float, Followed]:
    """(followed, rows a second of a bare COPY, built again) for a log of such entries."""
    key = await asyncio.to_thread(write_log, root, count, shard="kept.customers/0", entry=write)
    blobs = PosixStore(root)

    async def vkeys(_: str) -> list[str]:
        return [key]

    async with database(url) as (engine, door):
        await emptied(engine)
        follower = Follower(blobs, door, Checkpoints(vkeys))
        async with Meter() as meter:
            assert await follower.catch_up() == count and not follower.faults
        followed = meter.of(count)
        async with Meter() as meter:
            assert await Rebuild(engine, door, blobs, Checkpoints(vkeys)).run() == count
        rebuilt = meter.of(count)
        store = ShardStore(blobs, "kept.customers/0")
        end = await Checkpoints(vkeys).newest(store)
        starts = range(0, count, read.BATCH_ENTRIES_MAX)
        batches = [load.prepared(read.read(store, end, start)) for start in starts]
        await emptied(engine)
        bare = count / await asyncio.to_thread(bare_copy, url, batches)
    return followed, bare, rebuilt


async def steady(rate: int, seconds: int) -> tuple[float, float, float]:
    """(median, 99 of 100, most) seconds from published to searchable, while events come at this rate."""
    seen: list[Seen] = []
    with servers.servers() as state:
        await servers.spread(state, STEADY)
        with servers.owner(state, STEADY, whole_service=True) as owner, Insider(state, "audit").connect("audit") as connection:
            await owner.begun(STEADY)
            watch = asyncio.create_task(_watch(owner, connection, seen))
            await servers.fill(state, "dsar", STEADY, rate * seconds, rate)
            await owner.until(STEADY, rate * seconds)
            async with asyncio.timeout(300):
                while not seen or seen[-1][2] < rate * seconds:
                    await asyncio.sleep(LOOK_SECONDS)
            watch.cancel()
    indexed = [size for _, _, size in seen]
    waits = sorted(seen[bisect.bisect_left(indexed, published)][0] - at for at, published, _ in seen if published)
    return waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1]


async def _watch(
    owner: servers.Owner, connection: "psycopg.Connection[tuple[int]]", seen: list[tuple[float, int, int]]
) -> None:
    connection.autocommit = True
    query = f"SELECT coalesce(sum(next), 0)::bigint FROM {LIVE}.positions WHERE shard LIKE '{STEADY}/%'"
    while True:
        at, published = time.perf_counter(), owner.size(STEADY) or 0
        (indexed,) = (await asyncio.to_thread(connection.execute, query)).fetchone() or (0,)
        seen.append((at, published, indexed))
        await asyncio.sleep(LOOK_SECONDS)


async def measure(root: Path, count: int, seconds: int) -> str:
    made_for_batches()  # as the service does
    table = []
    async with server() as urls:
        for what, write in (("looks at a customer", look), ("changes of a customer, with three locators", change)):
            followed, bare, rebuilt = await one(urls["audit"], root / write.__name__, count, write)
            rates = [f"{bare:,.0f}", f"**{followed.rate:,.0f}**", f"{100 * followed.rate / bare:.0f} %"]
            cost = [f"{followed.own:.1f} µs", f"{followed.postgres:.1f} µs"]
            waits = f"{followed.wait_p99 * 1e3:.0f} ms, {followed.wait_most * 1e3:.0f} ms"
            table.append([what, f"{len(write(0))}", *rates, *cost, waits, f"{rebuilt.rate:,.0f}"])
    median, p99, most = await steady(RATE, seconds)
    head = ["entries", "bytes each", "bare COPY, entries/s", "followed, entries/s", "of the COPY", "service, CPU each",
            "PostgreSQL, CPU each", "event loop waits: 99 of 100, most", "`kept audit reindex`, entries/s"]  # fmt: skip
    return f"""
A published log of {count:,} entries of one shard, read, verified against its signed checkpoint and brought into the index: rows
and position in one transaction of {read.BATCH_ENTRIES_MAX:,} entries, all of them searchable after its commit. The bare COPY
writes the same rows (people's locators apart) into the same tables with the same indexes, in as many transactions, and
reads and verifies nothing. Processor time is per entry. The event loop is the service's: it answers requests meanwhile.

{report.table(head, table)}

With the whole service and Kafka on the same machine, at a steady {RATE:,} events/s for {seconds} s: from the checkpoint that
covers an event until it is found, median **{median:.2f} s**, 99 of 100 within **{p99:.2f} s**, at most {most:.2f} s.
"""


def main() -> None:
    quick = report.arguments(__doc__).quick
    with report.workplace() as root:
        said = asyncio.run(measure(root, *((COUNT_QUICK, SECONDS_QUICK) if quick else (COUNT, SECONDS))))
    report.section("index", "The search index behind the log", said, quick=quick)


if __name__ == "__main__":
    main()
