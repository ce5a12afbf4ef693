"""Two processes of each service, side by side behind the gateway: each may go at any time, and nobody notices."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from deploy.local.catalog import SECOND, SERVICES
from tests.support import backups
from tests.support.pages import every
from tests.support.platform import Platform, start, until_ended
from tests.support.portal import Person
from tests.support.staff import signed_in, token
from tests.support.twice import (
    BUSY_SECONDS_MAX,
    MOVES_SECONDS_MAX,
    events,
    killed,
    leads,
    logged,
    pair,
    ready,
    rows,
    told,
    until,
    waiting,
)

pytestmark = pytest.mark.platform
CREATED = "kept.customers.customer.created.v1"
CLOSED, TAKEN = "kept.dsar.request.closed.v1", "kept.backup.set.taken.v1"


@pytest.fixture(scope="module")
def twice() -> Iterator[Platform]:
    """A platform of its own."""
    before = dict(os.environ)
    try:
        yield from start(twice=True)
    finally:
        os.environ.clear()
        os.environ.update(before)


class Load:
    """People who go on asking. What they were answered, what else befell them, the customers that they made."""

    def __init__(self, platform: Platform) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self.failed: list[Exception] = []
        self.made: list[str] = []
        self._platform = platform
        self._over = threading.Event()
        for name in ("jane", "andrew"):  # whoever signs in while nobody serves is not what is tried here
            token(platform, name)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        asking = (self._looks, self._creates, self._reads_the_trail, self._comes_to_the_portal)
        threads = [threading.Thread(target=self._again, args=(one,)) for one in asking]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(60)

    def _again(self, ask: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                ask()
            except Exception as error:  # a thread that ends asks nobody any more, and the test would see no fault
                self.failed.append(error)

    def _heard(self, what: str, answer: httpx.Response) -> httpx.Response:
        self.answers[what, answer.status_code] += 1
        return answer

    def _looks(self) -> None:
        with signed_in(self._platform, "jane") as jane:
            listed = self._heard("list", jane.get("/api/customers", params={"limit": 3}))
            if listed.status_code == httpx.codes.OK:
                self._heard("one", jane.get(f"/api/customers/{listed.json()['items'][0]['id']}"))
            self._heard("me", jane.get("/api/identity/me"))

    def _creates(self) -> None:
        with signed_in(self._platform, "jane") as jane:
            name = f"Made{len(self.made)}"
            person = {"first_name": name, "last_name": "Twice", "email": f"{name.lower()}.{time.time_ns()}@example.org"}
            key = {"Idempotency-Key": f"twice-{time.time_ns()}"}
            answer = self._heard("create", jane.post("/api/customers", json={"fields": person}, headers=key))
            if answer.status_code == httpx.codes.CREATED:
                self.made.append(answer.json()["id"])

    def _reads_the_trail(self) -> None:
        with signed_in(self._platform, "andrew") as andrew:
            self._heard("trail", andrew.get("/api/audit/events", params={"limit": 1}))

    def _comes_to_the_portal(self) -> None:
        with httpx.Client(base_url=self._platform.origin, timeout=60) as somebody:
            self._heard("portal", somebody.get("/"))


def test_one_leads_and_the_other_says_that_it_stands_by(twice: Platform) -> None:
    for service in SERVICES:
        both = (service, SECOND[service])
        assert [ready(twice, part)["waits_for"] for part in both] == [[], []]
        assert sorted(leads(twice, part) for part in both) == [False, True]


def test_audit_says_the_same_of_the_log_whoever_is_asked(twice: Platform) -> None:
    """The one that stands by has no slot, and knows what is said of them all."""

    def status(part: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token(twice, 'andrew')}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{twice.ports[part]}", headers=headers, timeout=30) as andrew:
            said: dict[str, Any] = andrew.get("/api/audit/status").raise_for_status().json()
            assert andrew.get("/audit").status_code == httpx.codes.OK
        return said

    leader, other = pair(twice, "audit")
    assert ready(twice, other)["stands_by"]
    until(lambda: status(leader) == status(other) and status(other)["ready"], BUSY_SECONDS_MAX)


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_process_moves_its_duties(twice: Platform, service: str) -> None:
    killed(twice, service, MOVES_SECONDS_MAX)
    twice.wait_ready()


def test_whoever_leads_is_killed_and_every_event_is_in_the_log_once(twice: Platform) -> None:
    load = Load(twice)
    with load.going_on():
        for service in SERVICES:
            killed(twice, service)
        twice.wait_ready()
    assert load.made and set(load.made) <= set(told(twice, CREATED))
    for service in SERVICES:
        ids = events(twice, service)
        until(lambda service=service, ids=ids: not waiting(twice, service, ids), BUSY_SECONDS_MAX)  # type: ignore[misc]  # else it is sent again
        until(lambda ids=ids: logged(twice, ids) == Counter([1] * len(ids)), BUSY_SECONDS_MAX)  # type: ignore[misc]


def test_mails_leave_and_timers_fire_once_though_whoever_does_it_is_killed(twice: Platform) -> None:
    people = [Person(twice.origin, f"killed-{n}@example.org") for n in range(12)]
    for person in people:
        person.ask("access")
    ids = [person.request_id for person in people]

    def left() -> dict[str, tuple[bool, int]]:
        query = "SELECT about, done_at IS NOT NULL, tries FROM mails WHERE about = ANY(%s)"
        return {about: (done, tries) for about, done, tries in rows(twice, "dsar", query, ids)}

    killed(twice, "dsar")
    until(lambda: sum(done for done, _ in left().values()) >= len(ids) - 1, BUSY_SECONDS_MAX)
    # What the killed one had claimed is free again after three minutes; the other one has none: it takes one at a time.
    rows(twice, "dsar", "UPDATE mails SET next_try_at = now() WHERE about = ANY(%s) AND done_at IS NULL", ids)
    until(lambda: all(done for done, _ in left().values()), BUSY_SECONDS_MAX)
    tries = Counter(number for _, number in left().values())
    assert set(tries) <= {1, 2} and tries[2] <= 1, "one at most was under way when it was killed"
    for person in people:
        assert 1 <= len(person.mails()) <= left()[person.request_id][1], "again only where nobody can know that it left"

    twice.wait_ready()
    rows(twice, "dsar", "UPDATE requests SET received_at = now() - interval '400 days' WHERE id = ANY(%s)", ids)
    until(lambda: any(told(twice, CLOSED)[one] for one in ids), BUSY_SECONDS_MAX)
    killed(twice, "dsar")
    until(lambda: all(told(twice, CLOSED)[one] for one in ids), BUSY_SECONDS_MAX)
    assert {told(twice, CLOSED)[one] for one in ids} == {1}
    assert twice.kept("set-aside", "list", "dsar").stdout.strip() == "Nothing is set aside."


def test_a_set_that_was_under_way_has_failed_and_the_next_one_is_made_once(twice: Platform) -> None:
    twice.wait_ready()
    with signed_in(twice, "michael") as michael:

        def made(set_id: str) -> str:
            answer = michael.get(f"/api/backup/sets/{set_id}")
            return str(answer.raise_for_status().json()["state"])

        cut = michael.post("/api/backup/sets").raise_for_status().json()["id"]
        killed(twice, "backup")
        until(lambda: made(cut) != "taking", BUSY_SECONDS_MAX)
        whole = backups.take(michael)
        assert whole["state"] == "taken", whole["failure"]
    kept = rows(twice, "backup", "SELECT id, failure FROM sets WHERE id = ANY(%s) AND state = 'failed'", [cut, whole["id"]])
    assert kept == [(cut, "interrupted")]
    assert told(twice, TAKEN)[whole["id"]] == 1 and not told(twice, TAKEN)[cut]


def test_a_rolling_restart_is_noticed_by_nobody(twice: Platform) -> None:
    load, before = Load(twice), told(twice, CREATED)
    with load.going_on():
        for service in SERVICES:
            for part in (service, SECOND[service]):
                process = twice.process(part)
                assert process is not None
                process.terminate()
                until_ended(process)
                twice.wait_ready()
    assert not load.failed
    assert load.made and sum(load.answers.values()) > 100
    assert not {one: count for one, count in load.answers.items() if one[1] >= 500}, load.answers
    since = told(twice, CREATED) - before
    assert since == Counter(load.made), "each customer once"


def test_nothing_is_lost_or_doubled_on_the_way_to_the_log(twice: Platform) -> None:
    load = Load(twice)
    with load.going_on():
        for part in ("customers", "customers-2", "audit", "audit-2"):
            twice.kill(part)
            twice.wait_ready()
    made = told(twice, CREATED)
    with signed_in(twice, "andrew") as andrew:

        def logged() -> Counter[str]:
            return Counter(one["subject"] for one in every(andrew, "/api/audit/events", type=CREATED))

        until(lambda: logged() == made, 60)
