"""P7: every reading of personal data is an event: who, whose, which fields, for what purpose, under which decision."""

from collections.abc import Iterator

import httpx
import pytest

from shared.bus.envelope import Envelope
from tests.support.insider import Insider, wait_until
from tests.support.made_up import email, numbers, table
from tests.support.platform import Platform
from tests.support.staff import signed_in
from tests.support.topic import of_type

VIEWED = "kept.customers.records.viewed.v1"


@pytest.fixture(scope="module")
def jane(platform: Platform) -> Iterator[httpx.Client]:
    with signed_in(platform, "jane") as client:
        yield client


def published(platform: Platform) -> int:
    """How many looks the service has told of so far (its outbox keeps published rows for weeks)."""
    with Insider(platform.state, "customers").connect("customers") as connection:
        row = connection.execute("SELECT count(*) FROM outbox WHERE headers::text LIKE %s", (f"%{VIEWED}%",)).fetchone()
        return int(row[0]) if row else 0


async def last_look(platform: Platform, ids: set[str]) -> Envelope:
    """The newest look at exactly these people, once it is on the bus."""
    for _ in range(30):
        found = [e for e in await of_type(platform.state, VIEWED) if set(e.data["subjects"]) == ids]
        if found:
            return max(found, key=lambda e: e.id)
    raise AssertionError("the look is not on the bus")


def me(client: httpx.Client) -> str:
    return str(client.get("/api/identity/me").json()["id"])


async def test_a_page_is_one_event_that_says_everything(platform: Platform, jane: httpx.Client) -> None:
    before = published(platform)
    page = jane.get("/api/customers", params={"limit": 7}, headers={"X-Purpose": "delivery"}).json()
    assert published(platform) == before + 1, "one page, one event"
    look = await last_look(platform, {one["id"] for one in page["items"]})
    assert look.actor == me(jane)
    assert look.data["purpose"] == "delivery"
    assert look.data["fields"] == {name: one["level"] for name, one in page["items"][0]["fields"].items()}
    assert "customers.own_and_reporting_line" in look.data["decision"]
    assert look.subject is None and look.traceparent


async def test_one_record_names_its_person(platform: Platform, jane: httpx.Client) -> None:
    one = jane.get("/api/customers", params={"limit": 1}).json()["items"][0]["id"]
    before = published(platform)
    jane.get(f"/api/customers/{one}", headers={"X-Purpose": "contact"}).raise_for_status()
    assert published(platform) == before + 1
    assert (await last_look(platform, {one})).subject == one


@pytest.mark.parametrize("path", ["/customers", "/customers/{id}", "/api/customers"])
def test_every_way_to_look_is_told(platform: Platform, jane: httpx.Client, path: str) -> None:
    one = jane.get("/api/customers", params={"limit": 1}).json()["items"][0]["id"]
    before = published(platform)
    assert jane.get(path.replace("{id}", one), headers={"Accept": "text/html"}).status_code == 200
    assert published(platform) == before + 1


def test_a_refused_look_shows_nothing_and_tells_no_look(platform: Platform, jane: httpx.Client) -> None:
    before = published(platform)
    assert jane.get(f"/api/customers/sub_{'0' * 32}").status_code == 404
    with signed_in(platform, "robert") as robert:
        assert robert.get("/api/customers").status_code == 403
    assert published(platform) == before


def test_what_cannot_be_told_is_not_shown(platform: Platform, jane: httpx.Client) -> None:
    """The event cannot be written (the outbox refuses it): no value leaves."""
    with Insider(platform.state, "customers").connect("customers") as connection:
        connection.execute("ALTER TABLE outbox ADD CONSTRAINT p07 CHECK (false) NOT VALID")
        connection.commit()
        try:
            answer = jane.get("/api/customers", params={"limit": 3})
            page = jane.get("/customers", headers={"Accept": "text/html"})
        finally:
            connection.execute("ALTER TABLE outbox DROP CONSTRAINT p07")
            connection.commit()
    assert answer.status_code >= 400 and "customers" not in answer.json()
    assert page.status_code >= 400 and "/customers/sub_" not in page.text


def test_the_look_is_in_the_log_and_the_person_can_be_told(platform: Platform, jane: httpx.Client) -> None:
    number = numbers(1)[0]
    with signed_in(platform, "nancy") as nancy:
        nancy.post("/api/customers/imports", content=table([number])).raise_for_status()
    one = jane.post("/api/customers/search", json={"email": email(number)}).json()["items"][0]["id"]
    with signed_in(platform, "andrew") as officer:
        looks = wait_until(lambda: officer.get(f"/api/audit/subjects/{one}/looks").text.count(me(jane)))
    assert looks >= 1
