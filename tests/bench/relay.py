"""The relay: how many events a second from commit to acknowledgement, how late they are, and what it costs when all is quiet.

The real relay and door on the real servers, each process as a service's: `--worker` is one (a relay, and somebody who commits
at a rate). Delays are from the commit to the moment the relay marks the event, which is after the broker's acknowledgement.
"""

import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from deploy.local.service import INTERPRETER
from deploy.local.state import REPOSITORY, State
from shared.bus.event import Event
from shared.ids import new_id
from shared.migrations import upgrade
from tests.bench import clients, report
from tests.bench.servers import servers
from tests.support.kernel import ME, Kernel, kernel_on

MANY, MANY_QUICK = 200_000, 20_000
RATES = ((1, 20), (1_000, 20_000))  # per second, and how many
IDLE_SECONDS, IDLE_SECONDS_QUICK = 30.0, 5.0
FILL = """
INSERT INTO outbox (ce_id, topic, key, headers, value)
SELECT new.id, topic, 'sub_' || md5((n % 1000)::text), jsonb_set(headers, '{1,1}', to_jsonb(new.id)), value
FROM outbox, (SELECT n, gen_random_uuid()::text AS id FROM generate_series(2, :count) AS n) AS new
"""


class Measured(Event, type="kept.customers.bench.measured.v1"):
    """An event of about the size of a look at one record."""

    fields: dict[str, str]


EVENT = dict.fromkeys(("first_name", "last_name", "email", "phone", "address", "city", "state", "country"), "clear")


async def work(schema: str, rate: int, count: int) -> None:
    """One process of a service: says when it leads or stands by, commits when it is told to, and says when it did."""
    kernel = await kernel_on(schema)
    relay = kernel.relay()
    running = asyncio.create_task(relay.run())
    print("up", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    committed: dict[str, float] = {}
    slots = asyncio.Semaphore(8)  # clients at a time

    async def commit() -> None:
        async with slots:
            async with kernel.door.begin(ME) as w:
                ce_id = w.publish(Measured(subject=new_id("sub"), fields=EVENT))
            committed[ce_id] = time.time()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n in range(count):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            group.create_task(commit())
    print(json.dumps({"committed": committed, "seconds": time.perf_counter() - began}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await kernel.door.close()


class Process:
    """A worker."""

    def __init__(self, schema: str, rate: int = 1, count: int = 0) -> None:
        arguments = ("--worker", schema, str(rate), str(count))
        self.process = psutil.Popen(
            [sys.executable, "-m", "tests.bench.relay", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **INTERPRETER}, cwd=REPOSITORY,
        )  # fmt: skip

    def line(self) -> str:
        return str(self.process.stdout.readline())

    def go_on(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def cpu(self) -> float:
        used = self.process.cpu_times()
        return float(used.user + used.system)


@contextmanager
def process(*arguments: Any) -> Iterator[Process]:
    """A worker that is up."""
    one = Process(*arguments)
    try:
        one.line()
        yield one
    finally:
        one.process.kill()
        one.process.wait()


async def until(kernel: Kernel, where: str, many: int = 0, seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while await kernel.count(where) != many:
            await asyncio.sleep(0.02)


LEADS = "pg_locks WHERE locktype = 'advisory' AND classid = 4718 AND granted"
STANDS_BY = "pg_locks WHERE locktype = 'advisory' AND classid = 4723 AND granted"


async def throughput(kernel: Kernel, count: int) -> float:
    """Events a second: all are committed when the relay starts to send."""
    async with kernel.door.begin(ME) as w:
        w.publish(Measured(subject=new_id("sub"), fields=EVENT))
    async with kernel.engine.begin() as connection:
        await connection.execute(text(FILL), {"count": count})
        await connection.execute(text("ANALYZE outbox"))
    with process(kernel.schema):
        await until(kernel, "outbox WHERE published_at IS NULL", seconds=600.0)
    span = "SELECT extract(epoch FROM max(published_at) - min(published_at)), min(published_at) FROM outbox"
    async with kernel.engine.connect() as connection:
        seconds, first = (await connection.execute(text(span))).one()
        marked_first = await connection.scalar(text("SELECT count(*) FROM outbox WHERE published_at = :t"), {"t": first})
    return (count - int(marked_first or 0)) / float(seconds)


async def delays(kernel: Kernel, rate: int, count: int, *, standby: bool) -> tuple[float, float, float]:
    """p50, p99 and most of the seconds from commit to mark, of commits through the leader or through who stands by."""
    async with kernel.engine.begin() as connection:
        await connection.execute(text("TRUNCATE outbox"))
    with process(kernel.schema, rate, 0 if standby else count) as leader:
        await until(kernel, LEADS, 1)
        if not standby:
            await asyncio.sleep(2.0)
            return await _told(kernel, leader)
        with process(kernel.schema, rate, count) as other:
            await until(kernel, STANDS_BY, 1)
            await asyncio.sleep(2.0)
            return await _told(kernel, other)


async def _told(kernel: Kernel, committing: Process) -> tuple[float, float, float]:
    committing.go_on()
    committed = json.loads(await asyncio.to_thread(committing.line))["committed"]
    await until(kernel, "outbox WHERE published_at IS NULL")
    async with kernel.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT ce_id, extract(epoch FROM published_at) FROM outbox"))).all()
    waited = sorted(float(at) - committed[ce_id] for ce_id, at in rows)
    return statistics.median(waited), waited[int(len(waited) * 0.99)], waited[-1]


def postgres_cpu() -> float:
    """Seconds that all processes of this measurement's PostgreSQL have used."""
    total = 0.0
    for one in psutil.process_iter(["name", "cpu_times"]):
        if one.info["name"] == "postgres":
            total += one.info["cpu_times"].user + one.info["cpu_times"].system
    return total


async def idle(kernel: Kernel, seconds: float, *, standby: bool) -> tuple[float, float]:
    """Parts of a core that the leader, and PostgreSQL for it, take when nothing happens."""
    with process(kernel.schema) as leader:
        await until(kernel, LEADS, 1)
        if standby:
            with process(kernel.schema):
                await until(kernel, STANDS_BY, 1)
                return await _rested(leader, seconds)
        return await _rested(leader, seconds)


async def _rested(leader: Process, seconds: float) -> tuple[float, float]:
    await asyncio.sleep(3.0)
    before, of_postgres = leader.cpu(), postgres_cpu()
    await asyncio.sleep(seconds)
    return (leader.cpu() - before) / seconds, (postgres_cpu() - of_postgres) / seconds


ABOUT = """\
The real relay and door, each process as a service's, with PostgreSQL, Vault and Kafka on the same machine. All at once: so
many events are committed, then the relay starts; from its first batch to the last one marked. Delays are from the commit to
the mark, which is after the broker's acknowledgement. Idle: parts of a core that the process that leads takes, and PostgreSQL
for all of them. Kafka's clients by themselves, on the same broker: batches of 1,000, each of which waits for all its
acknowledgements, as the relay's do.
"""


async def measured(state: State, quick: bool) -> None:
    os.environ["KEPT_STATE"] = str(state.root)
    kernel = await kernel_on(schema := f"bench_{secrets.token_hex(4)}")
    async with kernel.engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
        await connection.run_sync(lambda one: upgrade("customers", one, "kernel@head"))
    count = MANY_QUICK if quick else MANY
    rows = [(f"{count:,} at once, events/s", f"**{await throughput(kernel, count):,.0f}**")]
    for standby in (False, True):
        which = "through who stands by" if standby else "through the process that leads"
        for rate, many in RATES:
            half, most, last = await delays(kernel, rate, many, standby=standby)
            said = f"{half * 1000:.0f}, **{most * 1000:.0f}**, {last * 1000:.0f}"
            rows.append((f"{rate:,}/s, commits {which}: delay in ms, median, 99 of 100, most", said))
    for standby in (False, True):
        beside = ", another stands by" if standby else ""
        own, of_postgres = await idle(kernel, IDLE_SECONDS_QUICK if quick else IDLE_SECONDS, standby=standby)
        rows.append((f"idle{beside}: process, PostgreSQL", f"{own:.2%}, {of_postgres:.2%} of a core"))
    sent = await clients.compared(state, MANY_QUICK)
    rows += [(f"{name}: events/s, CPU for one, all of it kept", said) for name, said in sent]
    async with kernel.engine.begin() as connection:
        await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    await kernel.door.close()
    report.section("relay", "From a commit to the bus", f"{ABOUT}\n{report.table(('what', 'measured'), rows)}", quick=quick)


async def main(*, quick: bool) -> None:
    if "KEPT_BENCH_STATE" in os.environ:
        return await measured(State(Path(os.environ["KEPT_BENCH_STATE"])), quick)
    with servers() as state:
        await measured(state, quick)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        asyncio.run(work(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    else:
        asyncio.run(main(quick=report.arguments(__doc__).quick))
