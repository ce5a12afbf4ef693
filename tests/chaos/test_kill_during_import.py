"""SIGKILL at random instants during imports. Afterwards: every committed customer has its event, every event is one leaf,
nothing twice, nothing missing, order kept per person, and the log verifies.

The seed is printed when it fails; KEPT_CHAOS_SEED repeats it.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from tests.support.insider import Insider, wait_until
from tests.support.made_up import email, numbers, table
from tests.support.platform import Platform
from tests.support.staff import token
from tests.support.topic import Seen, whole

FILES, ROWS = 12, 25  # imports of one round, and people in each
KILLS = 3
TRY_SECONDS_MAX = 150.0
CREATED, UPDATED = "kept.customers.customer.created.v1", "kept.customers.customer.updated.v1"


@dataclass
class Importer(threading.Thread):
    """A manager who imports file after file, corrects somebody of each, and tries again whatever happens."""

    origin: str
    token: str
    made: list[str] = field(default_factory=list)
    corrected: int = 0
    trouble: str = ""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self.origin, headers={"Authorization": f"Bearer {self.token}"}, timeout=15) as http:
                for _ in range(FILES):
                    people = numbers(ROWS)
                    self.insist(lambda people=people: http.post("/api/customers/imports", content=table(people)), 201)
                    self.made += people
                    self.correct(http, people[0])
        except Exception as why:  # a thread's failure is the test's to tell
            self.trouble = repr(why)

    def correct(self, http: httpx.Client, number: str) -> None:
        found = self.insist(lambda: http.get("/api/customers", params={"q_email": email(number)}), 200)
        one = found.json()["customers"][0]
        if_match = {"If-Match": f'"{one["version"]}"'}
        change = {"fields": {"city": "Elsewhere"}}
        answer = self.insist(lambda: http.patch(f"/api/customers/{one['id']}", json=change, headers=if_match), 200, 412)
        self.corrected += 1  # 412: an earlier try had committed before its answer was lost
        assert answer.status_code in (200, 412)

    def insist(self, ask: Callable[[], httpx.Response], *good: int) -> httpx.Response:
        deadline = time.monotonic() + TRY_SECONDS_MAX
        last = ""
        while time.monotonic() < deadline:
            try:
                answer = ask()
                if answer.status_code in good:
                    return answer
                last = f"{answer.status_code} {answer.text[:200]}"
                # 401: identity's keys cannot be had while it starts; 409: the try before this one committed meanwhile
                assert answer.status_code in (401, 409, 502, 503, 504), last
            except httpx.HTTPError as why:
                last = repr(why)
            time.sleep(0.2)
        raise AssertionError(f"no answer in {TRY_SECONDS_MAX} s; last: {last}")


def ask(platform: Platform, query: str) -> list[tuple[object, ...]]:
    with Insider(platform.state, "customers").connect("customers") as connection:
        return [tuple(row) for row in connection.execute(query).fetchall()]  # type: ignore[call-overload]  # fixed texts


def logged(platform: Platform, topic: str, partition: int) -> int:
    """The size of a shard's published checkpoint."""
    answer = httpx.get(f"{platform.origin}/log/{topic}/{partition}/checkpoint", timeout=10)
    return int(answer.text.split("\n")[1]) if answer.status_code == 200 else 0


@pytest.mark.parametrize(
    "parts", [("customers",), ("customers", "audit", "identity", "dsar", "backup"), ("postgres", "kafka")], ids="+".join
)
async def test_nothing_lost_nothing_twice(platform: Platform, parts: tuple[str, ...]) -> None:
    seed = int(os.environ.get("KEPT_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    dice = random.Random(seed)  # repeatable, not secret
    importer = Importer(platform.origin, token(platform, "nancy"))
    importer.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.05, 1.5))
        victim = dice.choice(parts)
        kill(platform, victim)
    importer.join(timeout=TRY_SECONDS_MAX * 2)
    assert not importer.is_alive() and not importer.trouble, f"seed {seed}: {importer.trouble or 'still trying'}"
    platform.wait_ready()
    await judge(platform, importer, seed)


def kill(platform: Platform, part: str) -> None:
    """SIGKILL, and wait until another process does its work."""
    before = platform.process(part)
    assert before is not None
    platform.kill(part)
    wait_until(lambda: (now := platform.process(part)) is not None and now.pid != before.pid)
    platform.wait_ready(part)


async def judge(platform: Platform, importer: Importer, seed: int) -> None:
    """The oracle: tables, topic and log must tell one story."""
    wait_until(lambda: ask(platform, "SELECT count(*) FROM outbox WHERE published_at IS NULL")[0][0] == 0, seconds=90)
    records = await whole(platform.state, "kept.customers")
    # 1. Everybody who was answered for is there.
    assert len(importer.made) == FILES * ROWS and importer.corrected == FILES, f"seed {seed}"
    # 2. Every customer has exactly one event, and no event is without its customer.
    told = Counter(one.envelope.subject for one in records if one.envelope.type == CREATED)
    there = {str(row[0]) for row in ask(platform, "SELECT id FROM customers")}
    assert set(told) == there, f"seed {seed}: {len(there - set(told))} missing, {len(set(told) - there)} too many"
    # 3. Nothing twice: no event id lies on the topic two times.
    twice = [ce_id for ce_id, times in Counter(one.envelope.id for one in records).items() if times > 1]
    assert not twice, f"seed {seed}: {len(twice)} events were sent twice"
    # 4. The outbox and the topic hold the same events.
    written = {str(row[0]) for row in ask(platform, "SELECT ce_id FROM outbox WHERE topic = 'kept.customers'")}
    assert written == {one.envelope.id for one in records}, f"seed {seed}"
    # 5. Order per person: created first, then versions one by one.
    for subject, mine in by_person(records).items():
        assert mine[0].envelope.type == CREATED, f"seed {seed}: {subject}"
        versions = [one.envelope.data["version"] for one in mine if one.envelope.type == UPDATED]
        assert versions == list(range(2, 2 + len(versions))), f"seed {seed}: {subject}"
        assert len({one.partition for one in mine}) == 1, f"seed {seed}: {subject}"
    # 6. Every event is one leaf: the log is as long as the topic.
    for partition in sorted({one.partition for one in records}):
        last = max(one.offset for one in records if one.partition == partition)
        wait_until(lambda p=partition, n=last: logged(platform, "kept.customers", p) >= n + 1, seconds=90)
    # 7. And the log proves it.
    checked = platform.kept("audit", "verify")
    assert checked.returncode == 0, f"seed {seed}: {checked.stdout[-2000:]}{checked.stderr[-2000:]}"


def by_person(records: list[Seen]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for one in records:
        if one.envelope.subject and one.envelope.type in (CREATED, UPDATED):
            found.setdefault(one.envelope.subject, []).append(one)
    return found
