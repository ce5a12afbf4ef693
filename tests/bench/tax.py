"""What the promises cost: the customers service beside a plain twin (twin.py), at 1 and at 16 clients.

Both run on the whole platform, on the same PostgreSQL, with the same people, in short slices in turn: ours, the twin's, ours, …
Ours with relay, audit and index beside it; before the twin's turn they have caught up, so that it does not pay for us. At the
end every event is published and indexed, and a look's event outlives a kill -9 of PostgreSQL.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from deploy.local import control, ports, processes
from deploy.local.service import INTERPRETER
from deploy.local.state import REPOSITORY, State
from tests.bench import report, stock
from tests.bench.callers import Caller, Client, Taken, request, together
from tests.bench.stock import FIELDS, STAFF, TEAM, Person
from tests.support.insider import Insider, wait_until
from tests.support.minted import minted
from tests.support.platform import free_port

PEOPLE, PEOPLE_QUICK = 1_000_000, 5_000
CLIENTS = (1, 16)
KINDS = ("get", "list", "search", "patch", "create")
SLICE_SECONDS, ROUNDS = 2.0, 3
SLICE_SECONDS_QUICK, ROUNDS_QUICK = 0.4, 2
WARM_SECONDS = 0.5
WARM, PAGE = 2_000, 50  # people who are asked for again and again, as staff does: their keys are in memory
TARGETS = {"get": (1.25, 0.8), "list": (1.25, 0.8), "search": (1.25, 0.8), "patch": (1.5, 0.7), "create": (1.5, 0.7)}
TOPIC = "kept.customers"
KINDS_OF = {"get": "get one", "list": "list 50", "search": "search by e-mail", "patch": "correct a field", "create": "create"}

Found = Mapping[str, Mapping[int, Mapping[str, Taken]]]  # kind -> clients -> side

BEFORE = """\
Before issue 12 (8cffd08, 20,000 people, on two cores that other work was using too), in the order of the table without
create, at 1 and 16 clients: p50 20x, 26x, 25x, 29x, 26x, 35x, 12x, 24x the twin's; rates 0.08, 0.04, 0.06, 0.03, 0.06,
0.03, 0.12, 0.05 of it; a look at one record took 5 to 6 ms of the service's CPU, the twin's 0.25 to 0.39 ms.

The targets are not reached yet. Where the time goes (2026-11-29, py-spy and /proc, on the same busy cores): a look commits,
and an fdatasync here takes 0.7 ms, more than the twin's whole answer; with each event come Kafka, the log, its index and
the two services that read it, at 16 clients another 0.7 to 0.9 ms of CPU, more where events come one by one. A page of 50
opens 350 values: 3.2 us each, and 6 us for each person's key, is 1.4 ms, where the twin takes 0.5 ms in all. Corrections
and new records write without SQLAlchemy's unit of work since then (decision 0051)."""


def said(text: str) -> None:
    print(f"   {text}", file=sys.stderr, flush=True)


@dataclass
class Side:
    """Whom is asked: the service, or the twin."""

    name: str
    port: int
    process: psutil.Process
    people: int
    headers: Mapping[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def visible(self) -> int:
        """How many people who asks may see."""
        return self.people // len(STAFF) * len(TEAM)

    def nth(self, n: int) -> Person:
        """Of those, one; from the middle of the table on."""
        n += max(0, self.visible // 2 - WARM)
        return Person(n // len(TEAM) * len(STAFF) + n % len(TEAM))

    def client(self, kind: str, number: int, of: int) -> Client:
        """Number `number` of `of` clients, each with people of its own."""
        chance = random.Random(f"{self.name} {kind} {number}")
        among = min(WARM, self.visible - PAGE)

        def somebody() -> Person:
            return self.nth(number + of * chance.randrange(among // of))

        status = 201 if kind == "create" else 200
        return Client(self.port, status, lambda: self.ask(kind, somebody()), self.learn if kind == "patch" else lambda _: None)

    def ask(self, kind: str, one: Person) -> bytes:
        at = "/bare" if kind == "bare" else "/api/customers" if self.headers else "/customers"
        if kind == "list":
            return request("GET", f"{at}?limit=50&cursor={one.id}", self.port, **self.headers)
        if kind == "search":
            return request("POST", f"{at}/search", self.port, {"email": one.email}, **self.headers)
        if kind == "patch":
            return self._correction(f"{at}/{one.id}", one)
        if kind == "create":
            return self._new(at)
        return request("GET", f"{at}/{one.id}", self.port, **self.headers)

    def _correction(self, path: str, one: Person) -> bytes:
        city, version = f"Town {random.randrange(10**9)}", self.versions.get(one.id, 1)
        if not self.headers:
            return request("PATCH", path, self.port, {"city": city, "version": version})
        return request("PATCH", path, self.port, {"fields": {"city": city}}, if_match=f'"{version}"', **self.headers)

    def _new(self, at: str) -> bytes:
        one = Person(self.people + random.randrange(10**8))
        values = dict(zip(FIELDS, one.values(), strict=True))
        if not self.headers:
            return request("POST", at, self.port, values)
        key = f'"{random.randbytes(16).hex()}"'
        return request("POST", at, self.port, {"fields": values}, idempotency_key=key, **self.headers)

    def learn(self, body: bytes) -> None:
        answer = json.loads(body)
        self.versions[answer["id"]] = answer["version"]


class Behind:
    """What runs behind the answers: the relay, the log, its index."""

    def __init__(self, state: State) -> None:
        self._customers = Insider(state, "customers").connect("customers")
        self._audit = Insider(state, "audit").connect("audit")
        self._customers.autocommit = self._audit.autocommit = True

    def close(self) -> None:
        self._customers.close()
        self._audit.close()

    def caught_up(self) -> bool:
        """Whether every event of customers is published, and in the index."""
        if self._customers.execute("SELECT 1 FROM outbox WHERE published_at IS NULL LIMIT 1").fetchone():
            return False
        highest = """SELECT max("offset") FROM outbox WHERE topic = %s AND partition = %s"""
        for partition in range(3):
            (sent,) = self._customers.execute(highest, (TOPIC, partition)).fetchone() or (None,)
            at = self._audit.execute("SELECT next FROM trail.positions WHERE shard = %s", (f"{TOPIC}/{partition}",)).fetchone()
            if sent is not None and (at is None or at[0] <= sent):
                return False
        return True

    async def settle(self, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not self.caught_up():
            assert time.monotonic() < end, "the relay, the log or its index did not catch up"
            await asyncio.sleep(0.05)


@dataclass
class Bench:
    state: State
    ours: Side
    twin: Side
    behind: Behind
    rounds: int
    seconds: float

    async def warm(self) -> None:
        """Everybody who will be asked for, once."""
        caller = await Caller.to(self.ours.port)
        for n in range(0, WARM + PAGE, PAGE):
            status, _ = await caller.ask(self.ours.ask("list", self.ours.nth(n)))
            assert status == 200, status
        caller.close()

    async def measured(self, kind: str, clients: int) -> dict[str, Taken]:
        """Ours and the twin's (and for `get` the bare framework's), in slices in turn."""
        sides = {"ours": (self.ours, kind), "twin": (self.twin, kind)}
        if kind == "get":
            sides["bare"] = (self.twin, "bare")
        callers = {name: [side.client(what, n, clients) for n in range(clients)] for name, (side, what) in sides.items()}
        taken = {name: Taken() for name in sides}
        for name in sides:
            await together(callers[name], WARM_SECONDS, Taken())
        for _ in range(self.rounds):
            for name, (side, _) in sides.items():
                await self.behind.settle()
                await self._slice(callers[name], side, taken[name])
        for one in callers.values():
            for caller in one:
                caller.close()
        return taken

    async def _slice(self, clients: list[Client], side: Side, taken: Taken) -> None:
        postgres = processes.alive(self.state.pid_file("postgres"))
        assert postgres is not None
        before = _cpu(side.process), _family_cpu(postgres)
        await together(clients, self.seconds, taken)
        taken.service += _cpu(side.process) - before[0]
        taken.postgres += sum(max(0.0, now - before[1].get(pid, 0.0)) for pid, now in _family_cpu(postgres).items())


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _family_cpu(process: psutil.Process) -> dict[int, float]:
    """By process: what one used that ends during a slice is not counted, and takes nothing from the others."""
    found: dict[int, float] = {}
    for one in processes.family(process):
        with suppress(psutil.NoSuchProcess):
            found[one.pid] = _cpu(one)
    return found


@contextmanager
def platform(people: int) -> Iterator[tuple[State, Side, Side]]:
    """Everything runs, `people` are there, and so is the twin."""
    with report.workplace() as root:
        os.environ["KEPT_PORT"] = str(free_port())
        state = State(root / "state")
        (root / "state").mkdir()
        try:
            control.start(state, only_servers=False)
            stock.make(state, people, said)
            with twin(state) as (port, process):
                service = processes.alive(state.pid_file("customers"))
                assert service is not None
                ours = Side("ours", ports.load(state)["customers"], service, people, _as_manager(state))
                yield state, ours, Side("twin", port, process, people)
        finally:
            control.stop(state)


def _as_manager(state: State) -> dict[str, str]:
    until = int(time.time()) + 6 * 3600
    token = minted(Insider(state, "identity"), ["sales_manager"], "ses-tax", sub=TEAM[0], team=list(TEAM), exp=until)
    return {"authorization": f"Bearer {token}", "x_purpose": "support"}


@contextmanager
def twin(state: State) -> Iterator[tuple[int, psutil.Process]]:
    insider, port = Insider(state, "customers"), free_port()
    env = insider.env
    dsn = (
        f"host={env['KEPT_DATABASE_HOST']} port={env['KEPT_DATABASE_PORT']} dbname=customers user=customers "
        f"password={insider.secret('customers/database')['password']}"
    )
    argv = [sys.executable, "-m", "tests.bench.twin", str(port)]
    process = psutil.Popen(argv, cwd=REPOSITORY, env={**os.environ, **INTERPRETER, "TWIN_DSN": dsn})
    try:
        wait_until(lambda: [one for one in process.net_connections() if one.status == psutil.CONN_LISTEN])
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(15)


async def survives(state: State, ours: Side) -> None:
    """A look, and PostgreSQL is killed the moment it is answered: its event is there."""
    one, caller = ours.nth(0), await Caller.to(ours.port)
    status, _ = await caller.ask(ours.ask("get", one))
    assert status == 200, status
    postgres = processes.alive(state.pid_file("postgres"))
    assert postgres is not None
    for member in processes.family(postgres):
        try:
            member.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue

    def told() -> bool:
        with Insider(state, "customers").connect("customers") as db:
            newest = "SELECT convert_from(value, 'UTF8'), headers::text FROM outbox ORDER BY id DESC LIMIT 20"
            return any(one.id in value and "records.viewed" in head for value, head in db.execute(newest))

    assert wait_until(told, 60.0), "the event of a look was lost with PostgreSQL"


async def measure(state: State, ours: Side, theirs: Side, kinds: list[str], rounds: int, seconds: float) -> Found:
    behind = Behind(state)
    bench = Bench(state, ours, theirs, behind, rounds, seconds)
    found: dict[str, dict[int, dict[str, Taken]]] = {}
    await bench.warm()
    for kind in kinds:
        for clients in CLIENTS:
            found.setdefault(kind, {})[clients] = taken = await bench.measured(kind, clients)
            said(_line(kind, clients, taken))
    await behind.settle()
    behind.close()
    await survives(state, ours)
    said("relay, log and index have caught up; a look's event outlived the kill of PostgreSQL")
    return found


def _ratios(taken: Mapping[str, Taken]) -> dict[str, float]:
    ours, theirs = taken["ours"], taken["twin"]
    return {
        "p50_ratio": round(ours.quantile(0.5) / theirs.quantile(0.5), 2),
        "p99_ratio": round(ours.quantile(0.99) / theirs.quantile(0.99), 2),
        "rate_ratio": round(ours.rate / theirs.rate, 2),
    }


def _line(kind: str, clients: int, taken: Mapping[str, Taken]) -> str:
    sides = [
        f"{name} p50 {1000 * one.quantile(0.5):.2f} p99 {1000 * one.quantile(0.99):.2f} ms {one.rate:,.0f}/s "
        f"cpu {one.cpu_ms(one.service):.2f}+{one.cpu_ms(one.postgres):.2f} ms"
        for name, one in taken.items()
    ]
    return f"{kind} {clients}: {' | '.join(sides)} | {_ratios(taken)}"


def rows(found: Found) -> list[list[str]]:
    lines = []
    for kind, by_clients in found.items():
        latency, rate = TARGETS[kind]
        for clients, taken in by_clients.items():
            ours, theirs, ratio = taken["ours"], taken["twin"], _ratios(taken)
            lines.append([
                KINDS_OF[kind], str(clients),
                *(f"{1000 * one.quantile(share):.2f}" for share in (0.5, 0.99) for one in (ours, theirs)),
                f"**{ratio['p50_ratio']}x** (≤ {latency})", f"{ratio['p99_ratio']}x",
                f"{ours.rate:,.0f}", f"{theirs.rate:,.0f}",
                f"**{ratio['rate_ratio']}** (≥ {rate})",
                *(f"{one.cpu_ms(one.service):.2f} + {one.cpu_ms(one.postgres):.2f}" for one in (ours, theirs)),
            ])  # fmt: skip
    return lines


HEAD = [
    "what", "clients", "p50 ms", "twin", "p99 ms", "twin", "p50 to the twin's", "p99", "a second", "twin",
    "rate to the twin's", "CPU ms: service + PostgreSQL", "twin",
]  # fmt: skip


def text_of(found: Found, people: int) -> str:
    bare = {clients: taken["bare"].rate for clients, taken in found.get("get", {}).items()}
    own = {clients: taken["twin"].rate for clients, taken in found.get("get", {}).items()}
    beside = ", ".join(f"{bare[one]:,.0f}/s beside the twin's {own[one]:,.0f}/s at {one}" for one in bare)
    return f"""
{people:,} customers, of which the one who asks may see a quarter; {WARM:,} of those are asked for again and again, so that
their keys are in memory. The twin is the same framework, server, server settings, driver and columns in clear, on the same
PostgreSQL, without token, decision and event; both are asked in turn, {SLICE_SECONDS:.0f} s each, {ROUNDS} times, while relay,
audit and its index run; they have caught up before the twin's turn and at the end, when a look's event also outlived a
`kill -9` of PostgreSQL. `fsync` and `synchronous_commit` are on. The clients are on the same cores. CPU is per request, that of
PostgreSQL with everything that uses it meanwhile. The framework and the driver alone, one row by its key without a model:
{beside} clients.

{report.table(HEAD, rows(found))}

{BEFORE}
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a run of a minute; does not touch the report")
    parser.add_argument("--people", type=int, help=f"how many customers ({PEOPLE:,})")
    parser.add_argument("--only", help="some of " + ",".join(KINDS))
    parser.add_argument("--json", action="store_true", help="print the ratios as one line, and nothing else; no report")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    people = asked.people or (PEOPLE_QUICK if asked.quick else PEOPLE)
    rounds, seconds = (ROUNDS_QUICK, SLICE_SECONDS_QUICK) if asked.quick else (ROUNDS, SLICE_SECONDS)
    kinds = asked.only.split(",") if asked.only else list(KINDS)
    with platform(people) as (state, ours, theirs):
        found = asyncio.run(measure(state, ours, theirs, kinds, rounds, seconds))
    if asked.json:
        print(json.dumps({kind: {str(n): _ratios(one) for n, one in some.items()} for kind, some in found.items()}))
        return
    report.section("tax", "What the promises cost", text_of(found, people), quick=asked.quick or bool(asked.only))


if __name__ == "__main__":
    main()
