"""From Kafka to a published checkpoint: how many events a second, and how long one waits.

Throughput: the topic is full before its owner starts; the clock runs from the first checkpoint, of size 0, of the last
partition to the one that covers everything. Beside it, in the same run, an aiokafka consumer that only receives the topic.
Delay: events arrive at a steady rate; from the broker's acknowledgement of each to the first checkpoint seen that covers it.
"""

import asyncio
import bisect
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local.state import State
from tests.bench import report, servers

COUNT, COUNT_QUICK = 1_000_000, 30_000
RATE, SECONDS, SECONDS_QUICK = 10_000, 30, 4
# kept.identity is not among them: every service reads it too, for the sessions that ended.
OWN, FOREIGN, SERVED, STEADY = "kept.customers", "billing.events", "kept.backup", "kept.dsar"


@dataclass(frozen=True)
class Ingested:
    """What one run of an owner over a full topic gave."""

    bare: float  # events/s, of a consumer that only receives
    published: float  # events/s
    memory_mb: float
    bytes_each: float  # on disk


async def throughput(state: State, user: str, topic: str, count: int, *, whole_service: bool = False) -> Ingested:
    """Fill `topic`, read it with a bare consumer, then let the log's owner take it."""
    await servers.fill(state, user, topic, count)
    before = await servers.bare_read(state, topic, count)
    with servers.owner(state, topic, whole_service=whole_service) as owner:
        await owner.begun(topic)
        began = time.perf_counter()
        took = await owner.until(topic, count) - began
        memory = owner.memory_mb
    bare = 2 * count / (before + await servers.bare_read(state, topic, count))
    files = [path for path in (servers.log_of(state) / topic).rglob("*") if path.is_file()]
    return Ingested(bare, count / took, memory, sum(path.stat().st_blocks * 512 for path in files) / count)


@dataclass(frozen=True)
class Delay:
    """Seconds, over the events of a steady stream."""

    median: float
    p99: float
    most: float
    rate: float


async def delay(state: State, rate: int, seconds: int) -> Delay:
    """A steady stream into the whole service."""
    sizes: dict[int, list[tuple[float, int]]] = {n: [] for n in range(servers.PARTITIONS)}
    await servers.spread(state, STEADY)
    with servers.owner(state, STEADY, whole_service=True) as owner:
        await owner.begun(STEADY)
        watch = asyncio.create_task(_watch(servers.log_of(state), sizes))
        began = time.perf_counter()
        acked = await servers.fill(state, "dsar", STEADY, rate * seconds, rate)
        took = time.perf_counter() - began
        await owner.until(STEADY, rate * seconds)
        await asyncio.sleep(0.05)
        watch.cancel()
    waits = []
    for partition, times in acked.items():
        covered = [size for _, size in sizes[partition]]
        for index, at in enumerate(times):
            seen = sizes[partition][bisect.bisect_right(covered, index)][0]
            waits.append(max(0.0, seen - at))
    waits.sort()
    return Delay(waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1], rate * seconds / took)


async def _watch(log: Path, sizes: dict[int, list[tuple[float, int]]]) -> None:
    """When each published size was first seen."""
    while True:
        for partition, seen in sizes.items():
            size = int((log / STEADY / str(partition) / "checkpoint").read_text().split("\n", 2)[1])
            if not seen or seen[-1][1] != size:
                seen.append((time.perf_counter(), size))
        await asyncio.sleep(0.005)


async def measure(count: int, seconds: int) -> str:
    with servers.servers() as state:
        own = await throughput(state, "customers", OWN, count)
        foreign = await throughput(state, "billing", FOREIGN, count // 2)
        served = await throughput(state, "backup", SERVED, count // 2, whole_service=True)
        waits = await delay(state, RATE, seconds)
    rows = []
    for name, n, one in (
        ("our own events, stored as they came", count, own),
        (f"foreign events, sealed under the keys of {servers.SUBJECTS:,} subjects", count // 2, foreign),
        ("our own events, the whole audit service (search index and all)", count // 2, served),
    ):
        rates = [f"{one.bare:,.0f}", f"**{one.published:,.0f}**", f"{100 * one.published / one.bare:.0f} %"]
        rows.append([name, f"{n:,}", *rates, f"{one.memory_mb:.0f} MB", f"{one.bytes_each:.0f}"])
    head = ["what", "events", "bare reader, events/s", "published, events/s", "of the reader", "memory", "bytes on disk each"]
    return f"""
Events with a value of {servers.VALUE_BYTES} bytes and a whole envelope in their headers, {servers.PARTITIONS} partitions,
from Kafka to entries, tiles and heads that are durable (fsync) and a published checkpoint that Vault signed. Kafka, PostgreSQL
and Vault run on the same machine. The bare reader receives the same topic with the same client and does nothing else: once
before and once after, here is the mean. Ingestion alone has the service's default of two workers; the whole service has the
index, which gives way in a burst, and the pages beside them. Memory is that of all its processes, pages that they share counted
once (PSS), at its most.

{report.table(head, rows)}

At a steady {waits.rate:,.0f} events/s into the whole service, from Kafka's acknowledgement to a published checkpoint that
covers the event: median **{waits.median:.2f} s**, 99 of 100 within **{waits.p99:.2f} s**, at most {waits.most:.2f} s
({RATE * seconds:,} events).
"""


def main() -> None:
    quick = report.arguments(__doc__).quick
    text = asyncio.run(measure(COUNT_QUICK if quick else COUNT, SECONDS_QUICK if quick else SECONDS))
    report.section("ingest", "From Kafka to a published checkpoint", text, quick=quick)


if __name__ == "__main__":
    main()
