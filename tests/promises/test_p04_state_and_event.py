"""P4: state and event commit together. What was not committed is never published; what was committed always is, in order
per person, once, also after kill -9 (tests/chaos/test_kill_during_import.py kills at random instants)."""

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from shared.bus.envelope import Envelope
from tests.support.insider import Insider, wait_until
from tests.support.made_up import email, numbers, table
from tests.support.platform import Platform
from tests.support.staff import signed_in
from tests.support.topic import whole

CREATED, UPDATED = "kept.customers.customer.created.v1", "kept.customers.customer.updated.v1"


@pytest.fixture(scope="module")
def nancy(platform: Platform) -> Iterator[httpx.Client]:
    with signed_in(platform, "nancy") as client:
        yield client


def rows(platform: Platform, query: str) -> list[tuple[object, ...]]:
    with Insider(platform.state, "customers").connect("customers") as connection:
        return [tuple(row) for row in connection.execute(query).fetchall()]  # type: ignore[call-overload]  # fixed texts


def unpublished(platform: Platform) -> int:
    return int(str(rows(platform, "SELECT count(*) FROM outbox WHERE published_at IS NULL")[0][0]))


async def settled(platform: Platform) -> list[Envelope]:
    """Everything on the topic once nothing waits in the outbox."""
    wait_until(lambda: unpublished(platform) == 0)
    return [one.envelope for one in await whole(platform.state, "kept.customers")]


def bring(nancy: httpx.Client, number: str) -> tuple[str, str]:
    """A made-up customer: id and ETag."""
    nancy.post("/api/customers/imports", content=table([number])).raise_for_status()
    one = nancy.post("/api/customers/search", json={"email": email(number)}).json()["items"][0]["id"]
    return one, nancy.get(f"/api/customers/{one}").headers["etag"]


async def test_every_row_has_its_event_and_every_event_its_row(platform: Platform, nancy: httpx.Client) -> None:
    bring(nancy, numbers(1)[0])
    told = Counter(e.subject for e in await settled(platform) if e.type == CREATED)
    there = {str(row[0]) for row in rows(platform, "SELECT id FROM customers")}
    assert set(told) == there
    assert set(told.values()) == {1}, "nothing twice"


async def test_what_was_refused_was_never_published(platform: Platform, nancy: httpx.Client) -> None:
    before = len(await settled(platform))
    one, other = numbers(2)
    bad = table([one, other]).replace(email(other).encode(), b"nobody")
    assert nancy.post("/api/customers/imports", content=bad).status_code == 422
    assert len(await settled(platform)) == before


async def test_a_commit_that_fails_publishes_nothing(platform: Platform, nancy: httpx.Client) -> None:
    """The last row of a file breaks a rule of the database itself, after all events were handed to the door."""
    before = len(await settled(platform))
    there = len(rows(platform, "SELECT 1 FROM customers"))
    with Insider(platform.state, "customers").connect("customers") as connection:
        connection.execute(
            "CREATE FUNCTION p04() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE check_violation; END $$;"
            "CREATE CONSTRAINT TRIGGER p04 AFTER INSERT ON customers DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION p04()"
        )
        connection.commit()
        try:
            answer = nancy.post("/api/customers/imports", content=table(numbers(3)))
        finally:
            connection.execute("DROP TRIGGER p04 ON customers; DROP FUNCTION p04()")
            connection.commit()
    assert answer.status_code >= 400
    assert len(rows(platform, "SELECT 1 FROM customers")) == there
    assert len(await settled(platform)) == before


async def test_what_cannot_be_told_is_not_done(platform: Platform, nancy: httpx.Client) -> None:
    """The other way round: the outbox refuses the event, so the change does not happen either."""
    one, etag = bring(nancy, numbers(1)[0])
    before = len(await settled(platform))
    people = len(rows(platform, "SELECT 1 FROM customers"))
    with Insider(platform.state, "customers").connect("customers") as connection:
        connection.execute("ALTER TABLE outbox ADD CONSTRAINT p04 CHECK (false) NOT VALID")
        connection.commit()
        try:
            moved = nancy.patch(f"/api/customers/{one}", json={"fields": {"city": "Untold"}}, headers={"If-Match": etag})
            brought = nancy.post("/api/customers/imports", content=table(numbers(2)))
        finally:
            connection.execute("ALTER TABLE outbox DROP CONSTRAINT p04")
            connection.commit()
    assert moved.status_code >= 400 and brought.status_code >= 400
    assert len(rows(platform, "SELECT 1 FROM customers")) == people, "customers came of whom nobody is told"
    assert nancy.get(f"/api/customers/{one}").headers["etag"] == etag, "a change was kept of which nobody is told"
    told = await settled(platform)
    assert [e for e in told if e.subject == one and e.type == UPDATED] == []
    assert [e.type for e in told[before:] if e.type in (CREATED, UPDATED)] == []


async def test_one_persons_events_are_in_order(platform: Platform, nancy: httpx.Client) -> None:
    one, etag = bring(nancy, numbers(1)[0])
    with platform.paused("kafka"):  # so that they wait together, and the relay has an order to keep
        for n in range(12):
            done = nancy.patch(f"/api/customers/{one}", json={"fields": {"city": f"Town {n}"}}, headers={"If-Match": etag})
            etag = done.raise_for_status().headers["etag"]
    platform.wait_ready("kafka", "customers")
    mine = [e for e in await settled(platform) if e.subject == one and e.type in (CREATED, UPDATED)]
    assert [e.type for e in mine] == [CREATED, *[UPDATED] * 12]
    assert [e.data["version"] for e in mine[1:]] == list(range(2, 14))


async def test_committed_before_the_kill_means_published_after_it(platform: Platform, nancy: httpx.Client) -> None:
    """Kafka stands still, so the relay cannot send; the service is killed with its outbox full, and starts again."""
    one, etag = bring(nancy, numbers(1)[0])
    await settled(platform)
    with platform.paused("kafka"):
        done = nancy.patch(f"/api/customers/{one}", json={"fields": {"city": "Before the kill"}}, headers={"If-Match": etag})
        assert done.status_code == 200, "Kafka away: writes still commit"
        assert unpublished(platform) > 0
        platform.kill("customers")
    platform.wait_ready("kafka", "customers")
    mine = [e for e in await settled(platform) if e.subject == one and e.type == UPDATED]
    assert len(mine) == 1, "published, and once"
