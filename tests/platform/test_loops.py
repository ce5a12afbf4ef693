"""One bad item never stops the rest, on the real platform: a row that the database refuses, for a reason nobody thought of, is
set aside and shown, the one after it is done, and the service answers all the while."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from shared.ids import new_id
from tests.support.insider import Insider, wait_until
from tests.support.minted import end_session, minted
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform
SECRET = "zyxwv.quoted@example.org"


@contextmanager
def refused(platform: Platform, service: str, table: str, when: str) -> Iterator[None]:
    """While this lasts the service's database refuses such rows, with a text that quotes a value."""
    with Insider(platform.state, service).connect(service) as connection:
        connection.execute(
            f"CREATE FUNCTION refusing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{SECRET}'; END $$;"
            f"CREATE TRIGGER refusing BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refusing()"
        )
        connection.commit()
        try:
            yield
        finally:
            connection.execute(f"DROP TRIGGER refusing ON {table}; DROP FUNCTION refusing()")
            connection.commit()


def asked(platform: Platform, service: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a statement on the service's database gives."""
    with Insider(platform.state, service).connect(service) as connection:
        answer = connection.execute(query.encode(), values)
        return answer.fetchall() if answer.description else []


def aside(platform: Platform, service: str) -> dict[tuple[str, str], str]:
    """As `kept set-aside list` shows it: (loop, item) -> reason."""
    answer = platform.kept("set-aside", "list", service, "--json")
    assert answer.returncode == 0, answer.stderr
    assert SECRET not in answer.stdout
    return {(one["loop"], one["item"]): one["reason"] for one in json.loads(answer.stdout)}


def by_hand(platform: Platform, *what: str) -> None:
    """Have it tried again now, unless it was by itself meanwhile, and is done."""
    answer = platform.kept("set-aside", "retry", *what)
    assert answer.returncode == 0 or "not-found" in answer.stderr, answer.stderr


def ready(platform: Platform, service: str) -> list[str]:
    """What a service that answers waits for."""
    answer = httpx.get(f"http://127.0.0.1:{platform.ports[service]}/readyz", timeout=10)
    assert answer.status_code == 200
    waits: list[str] = answer.json()["waits_for"]
    return waits


def silent(platform: Platform, service: str, before: int) -> None:
    """No line that the service has written since quotes the value."""
    assert SECRET.encode() not in (platform.state.logs / f"{service}.log").read_bytes()[before:]


@pytest.fixture
def logged(platform: Platform) -> dict[str, int]:
    """How long each service's log is."""
    return {one: (platform.state.logs / f"{one}.log").stat().st_size for one in ("dsar", "identity", "audit")}


def two_requests(platform: Platform, name: str) -> tuple[str, str]:
    found = []
    for which in ("bad", "good"):
        person = Person(platform.origin, f"{name}-{which}@example.org")
        person.ask("access")
        found.append(person.request_id)
    return found[0], found[1]


def test_a_request_that_cannot_be_closed_holds_up_no_other(platform: Platform, logged: dict[str, int]) -> None:
    bad, good = two_requests(platform, "closing")

    def state(request_id: str) -> str:
        return str(asked(platform, "dsar", "SELECT state FROM requests WHERE id = %s", request_id)[0][0])

    with refused(platform, "dsar", "requests", f"NEW.id = '{bad}' AND NEW.state = 'closed'"):
        old = "UPDATE requests SET received_at = now() - interval '400 days' WHERE id = ANY(%s)"
        asked(platform, "dsar", old, [bad, good])
        wait_until(lambda: state(good) == "closed")
        wait_until(lambda: ("closing", bad) in aside(platform, "dsar"))
        assert state(bad) == "received" and ("closing", good) not in aside(platform, "dsar")
        assert "loops" not in ready(platform, "dsar")
    by_hand(platform, "dsar", "closing", bad)
    wait_until(lambda: state(bad) == "closed")
    wait_until(lambda: not aside(platform, "dsar"))
    silent(platform, "dsar", logged["dsar"])


def test_an_approval_that_cannot_end_holds_up_no_other(platform: Platform, logged: dict[str, int]) -> None:
    bad, good = new_id("apr"), new_id("apr")
    row = (
        "INSERT INTO approvals (id, action, resource, requester, state, requested_at, expires_at, subjects, lapses,"
        " grounds, reminders)"
        " VALUES (%s, 'restore', %s, 'sub_x', 'requested', now(), now() - interval '%s seconds', '{}', true, '[]', 0)"
    )

    def state(approval_id: str) -> str:
        return str(asked(platform, "identity", "SELECT state FROM approvals WHERE id = %s", approval_id)[0][0])

    try:
        with refused(platform, "identity", "approvals", f"NEW.id = '{bad}' AND NEW.state <> 'requested'"):
            for seconds, one in enumerate((good, bad), 1):
                asked(platform, "identity", row.replace("%s seconds", f"{seconds} seconds"), one, f"backup/{one}")
            wait_until(lambda: state(good) == "expired")
            wait_until(lambda: ("approvals", bad) in aside(platform, "identity"))
            assert state(bad) == "requested" and "loops" not in ready(platform, "identity")
        assert platform.kept("set-aside", "retry", "identity", "approvals").returncode == 0
        wait_until(lambda: state(bad) == "expired" and not aside(platform, "identity"))
    finally:
        asked(platform, "identity", "DELETE FROM approvals WHERE id = ANY(%s)", [bad, good])
    silent(platform, "identity", logged["identity"])


@pytest.mark.parametrize(
    ("loop", "table", "when", "done"),
    [
        ("ingest", "heads", "NEW.topic = 'kept.customers'", "SELECT sum(size) FROM heads WHERE topic = 'kept.audit'"),
        (
            "index", "trail.positions", "NEW.shard LIKE 'kept.customers/%'",
            "SELECT sum(next) FROM trail.positions WHERE shard LIKE 'kept.audit/%%'",
        ),
    ],
)  # fmt: skip
def test_a_partition_that_cannot_go_on_holds_up_no_other(
    platform: Platform, logged: dict[str, int], loop: str, table: str, when: str, done: str
) -> None:
    """Looks at customers are told by customers, looks at the log by audit."""
    before = asked(platform, "audit", done)[0][0]
    with signed_in(platform, "jane") as jane, refused(platform, "audit", table, when):

        def looked() -> bool:
            jane.get("/api/customers", params={"limit": 1}).raise_for_status()
            return any(one[0] == loop and one[1].startswith("kept.customers/") for one in aside(platform, "audit"))

        wait_until(looked)
        with signed_in(platform, "andrew") as andrew:
            andrew.get("/api/audit/events", params={"limit": 1}).raise_for_status()
        wait_until(lambda: asked(platform, "audit", done)[0][0] > before)
        waits = ready(platform, "audit")
        assert "loops" not in waits and ("log" in waits) == (loop == "ingest"), "a log that lacks something says so"
    wait_until(lambda: not aside(platform, "audit"))  # by itself, within a minute
    wait_until(lambda: ready(platform, "audit") == [])
    silent(platform, "audit", logged["audit"])


async def test_a_word_about_ended_sessions_that_cannot_be_read_hides_no_other(platform: Platform) -> None:
    identity, file = Insider(platform.state, "identity"), platform.state.logs / "customers.log"
    before, session = file.stat().st_size, new_id("ses")
    headers = {"Authorization": f"Bearer {minted(identity, ['general_manager'], session)}"}
    said = {
        "ce_specversion": "1.0", "ce_id": new_id("evt"), "ce_type": "kept.identity.session.ended.v1", "ce_actor": "system:x",
        "ce_source": "/x", "ce_time": "2026-01-02T03:04:05Z", "content-type": "application/json",
    }  # fmt: skip
    producer = identity.producer()
    await producer.start()
    try:
        pairs = [(name, value.encode()) for name, value in said.items()]
        await producer.send_and_wait("kept.identity", key=b"k", value=b'{"sessions": 7}', headers=pairs)
    finally:
        await producer.stop()
    wait_until(lambda: b"ended-sessions: kept.identity/" in file.read_bytes()[before:])
    await end_session(identity, session)
    path = f"http://127.0.0.1:{platform.ports['customers']}/api/customers"
    wait_until(lambda: httpx.get(path, headers=headers, timeout=30).status_code == 401)
    assert ready(platform, "customers") == []
