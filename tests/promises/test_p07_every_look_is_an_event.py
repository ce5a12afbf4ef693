"""P7: every reading of personal data is an event: who, whose, which fields, for what purpose, under which decision."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from uuid import uuid4

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


async def refusals(platform: Platform, who: str, subject: str | None) -> list[dict[str, object]]:
    """What is on the bus of refused attempts of `who` at `subject`."""
    found = await of_type(platform.state, "kept.customers.access.refused.v1")
    return [one.data for one in found if (one.actor, one.subject) == (who, subject)]


async def test_a_refused_look_shows_nothing_and_is_an_event_of_its_own(platform: Platform, jane: httpx.Client) -> None:
    with signed_in(platform, "margaret") as margaret:
        hers = margaret.get("/api/customers", params={"limit": 1}).json()["items"][0]["id"]
    nobody = f"sub_{uuid4().hex}"
    before = published(platform)
    answers = [jane.get(f"/api/customers/{one}", headers={"X-Purpose": "support"}) for one in (hers, nobody)]
    change = {"fields": {"city": "Elsewhere"}}
    answers += [jane.patch(f"/api/customers/{one}", json=change, headers={"If-Match": '"1"'}) for one in (hers, nobody)]
    assert {(one.status_code, one.text) for one in answers} == {(404, answers[0].text)}, "both must look alike"
    assert published(platform) == before, "nothing was seen"
    for subject in (hers, nobody):  # an event for one and none for the other would tell them apart, too
        told = await _within(lambda subject=subject: refusals(platform, me(jane), subject), 2)
        assert [(one["action"], one["policies"]) for one in told[-2:]] == [("view", []), ("update", [])]
        assert told[-2]["purpose"] == "support" and told[-2]["resource"] == f"Customer:{subject}"


async def test_who_may_see_nobody_is_told_of_by_name_of_the_person_asked_for(platform: Platform, jane: httpx.Client) -> None:
    one = jane.get("/api/customers", params={"limit": 1}).json()["items"][0]["id"]
    with signed_in(platform, "robert") as robert:
        assert robert.get("/api/customers").status_code == 403
        assert robert.get(f"/api/customers/{one}").status_code == 403
        assert robert.get(f"/customers/{one}", headers={"Accept": "text/html"}).status_code == 403
        assert len(await _within(lambda: refusals(platform, me(robert), one), 2)) >= 2
        assert (await _within(lambda: refusals(platform, me(robert), None), 1))[-1]["resource"] == "Customers:all"


async def test_a_grant_that_is_none_is_an_attempt_that_is_told(platform: Platform, jane: httpx.Client) -> None:
    async def attempts() -> list[dict[str, object]]:
        return [one for one in await refusals(platform, me(jane), None) if one["resource"] == "Grant:customers"]

    asked = {"json": {"recipient": "age1" + "q" * 58}, "headers": {"X-Kept-Grant": "made up"}}
    before = len(await attempts())
    assert jane.post("/api/customers/exports", **asked).status_code == 403
    assert (await _within(attempts, before + 1))[-1]["action"] == "export"


async def _within(look: Callable[[], Awaitable[list[dict[str, object]]]], count: int) -> list[dict[str, object]]:
    """What `look` finds, once there are at least `count`: the relay takes a moment."""
    for _ in range(30):
        found = await look()
        if len(found) >= count:
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(f"not {count} refusals on the bus")


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
