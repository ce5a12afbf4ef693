"""A rotation's long part: every person's key under the newest version of the service's key encryption key, while the service
serves; and how long it takes to shred one person about whom there are many events.

The real loop (shared.rewrap.py) in the process that also answers: one client after another reads one person's key from the
database and has Vault unwrap it, so that nothing that is remembered is measured.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import MetaData, text

from deploy.local.state import State
from shared.bus.event import Event
from shared.db import kernel_tables
from shared.ids import new_id
from shared.installed import operator
from shared.migrations import upgrade
from shared.rewrap import Rewrap
from tests.bench import report
from tests.bench.servers import servers
from tests.support.kernel import ME, Kernel, kernel_on

KEYS, KEYS_QUICK = 1_000_000, 20_000
KEK = "kept-customers"
FILLED_AT_ONCE = 9_000
SERVED_SECONDS = 5.0  # before, to compare with
PAUSE_SECONDS = 0.01  # of who reads, so that there are some 50 a second and not as many as there can be
EVENTS, SHREDS = 100_000, 20
TABLES = kernel_tables(MetaData())
COPY = "COPY data_keys (subject, version, wrapped) FROM STDIN"
FILL = """
INSERT INTO outbox (ce_id, topic, key, headers, value, published_at)
SELECT gen_random_uuid()::text, topic, key, headers, value, now() FROM outbox, generate_series(2, :count)
"""
ABOUT = """\
`python -m tests.bench.rewrap`: PostgreSQL, Vault (OpenBao) and the loop that rewraps on the same machine, {keys:,} people.
Served: one client after another reads a person's key from the database and has Vault unwrap it. A shred: from the beginning of
its transaction to the end of the commit, of somebody about whom {events:,} events stand in the outbox, and of others.
"""


class Noted(Event, type="kept.customers.bench.noted.v1"):
    """One of many about one person."""


@dataclass
class Rewrapped:
    seconds: float
    before: list[float]
    during: list[float]
    parts: dict[str, float] = field(default_factory=dict)


async def filled(kernel: Kernel, count: int) -> list[str]:
    """So many people with a key each, as the keyring would have made them; some of them."""
    some: list[str] = []
    async with kernel.engine.begin() as opened:
        connection = (await opened.get_raw_connection()).driver_connection
        assert connection is not None
        for start in range(0, count, FILLED_AT_ONCE):
            subjects = [new_id("sub") for _ in range(min(FILLED_AT_ONCE, count - start))]
            wrapped = await kernel.door.keyring._vault.encrypt(KEK, [os.urandom(32) for _ in subjects])
            async with connection.cursor().copy(COPY) as copy:
                for subject, one in zip(subjects, wrapped, strict=True):
                    await copy.write_row((subject, 1, one))
            some += subjects[:50]
    async with kernel.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE data_keys"))
    return some


async def served(kernel: Kernel, people: list[str], into: list[float]) -> None:
    """Until cancelled."""
    keyring = kernel.door.keyring
    while True:
        subject = secrets.choice(people)
        began = time.perf_counter()
        async with kernel.door.begin(ME) as w:
            (key,) = (await keyring.wrapped(w.session, [subject])).values()
        await keyring._vault.decrypt(KEK, [key.wrapped or ""])
        into.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_SECONDS)


async def beside(kernel: Kernel, people: list[str], work: Callable[[], Awaitable[object]]) -> list[float]:
    """How long each reading took while `work` was done."""
    found: list[float] = []
    reading = asyncio.create_task(served(kernel, people, found))
    try:
        await work()
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
    return sorted(found)


async def rewrapped(kernel: Kernel, people: list[str]) -> Rewrapped:
    loop = Rewrap(kernel.door, kernel.door.keyring._vault, TABLES)
    before = await beside(kernel, people, lambda: asyncio.sleep(SERVED_SECONDS))
    await operator("rotation").rotate(KEK)

    async def all_of_them() -> None:
        while await loop.step():
            pass

    began = time.perf_counter()
    during = await beside(kernel, people, all_of_them)
    seconds = time.perf_counter() - began
    left = await kernel.count("data_keys WHERE kek_version = 1")
    assert left == 0, f"{left} keys were left"
    return Rewrapped(seconds, before, during)


async def shredded(kernel: Kernel) -> tuple[float, list[float]]:
    """Seconds of a shred: of somebody with EVENTS events, and of others."""
    people = [new_id("sub") for _ in range(SHREDS + 1)]
    async with kernel.door.begin(ME) as w:
        await w.create_keys(people)
        w.publish(Noted(subject=people[0]))
    async with kernel.engine.begin() as connection:
        await connection.execute(text(FILL), {"count": EVENTS})
    took = []
    for subject in people:
        began = time.perf_counter()
        async with kernel.door.begin(ME) as w:
            await w.shred(subject)
        took.append(time.perf_counter() - began)
    return took[0], sorted(took[1:])


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _of(took: list[float]) -> dict[str, float]:
    return {"p50_ms": _ms(statistics.median(took)), "p99_ms": _ms(took[int(len(took) * 0.99)]), "count": len(took)}


async def measured(state: State, count: int) -> dict[str, object]:
    os.environ["KEPT_STATE"] = str(state.root)
    kernel = await kernel_on(schema := f"bench_{secrets.token_hex(4)}")
    async with kernel.engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
        await connection.run_sync(lambda one: upgrade("customers", one, "kernel@head"))
    people = await filled(kernel, count)
    done = await rewrapped(kernel, people)
    many, others = await shredded(kernel)
    await kernel.door.close()
    return {
        "keys": count, "seconds": round(done.seconds, 2), "keys_per_second": round(count / done.seconds),
        "served_before": _of(done.before), "served_during": _of(done.during),
        "shred_ms": {"with_events": _ms(many), "events": EVENTS, "others_p50": _ms(statistics.median(others)),
                     "others_most": _ms(others[-1])},
    }  # fmt: skip


def said(found: dict[str, object]) -> str:
    before, during, shred = (dict(found[one]) for one in ("served_before", "served_during", "shred_ms"))  # type: ignore[call-overload]  # as put together above
    rows = [
        ("rewrap of all keys, s", f"**{found['seconds']}**"),
        ("keys/s", f"{found['keys_per_second']:,}"),
        ("a reading before it, ms: median, 99 of 100", f"{before['p50_ms']}, {before['p99_ms']}"),
        ("a reading beside it, ms: median, 99 of 100", f"{during['p50_ms']}, {during['p99_ms']}"),
        (f"a shred, ms: of somebody with {EVENTS:,} events", f"**{shred['with_events']}**"),
        ("a shred, ms: of others, median, most", f"{shred['others_p50']}, {shred['others_most']}"),
    ]
    return f"{ABOUT.format(keys=found['keys'], events=EVENTS)}\n{report.table(('what', 'measured'), rows)}"


async def main(asked: argparse.Namespace) -> None:
    count = asked.keys or (KEYS_QUICK if asked.quick else KEYS)
    with servers() as state:
        found = await measured(state, count)
    if asked.json:
        print(json.dumps(found))
        return
    report.section("rewrap", "A rotation's long part, and a shred", said(found), quick=asked.quick)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a run of seconds; prints, and does not touch the report")
    parser.add_argument("--keys", type=int, default=0, help=f"how many people; {KEYS:,} where nothing is said")
    parser.add_argument("--json", action="store_true", help="print one line, and nothing else; no report")
    asyncio.run(main(parser.parse_args()))
