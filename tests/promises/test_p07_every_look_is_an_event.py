"""P7: every reading of personal data is an event: who, whose, which fields, for what purpose, under which decision."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pyrage
import pytest

from shared.bus.envelope import Envelope
from shared.ids import new_event_id
from tests.support import backups
from tests.support.insider import Insider, wait_until
from tests.support.made_up import email, numbers, table
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.staff import credentials, me, signed_in
from tests.support.topic import of_type, told

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
    found = await told(platform.state, VIEWED, "kept.customers", lambda e: set(e.data["subjects"]) == ids, seconds=120)
    return max(found, key=lambda e: e.id)


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


@dataclass(frozen=True)
class Mine:
    """A made-up customer of Jane's, whom nobody else's test looks at."""

    number: str
    id: str


@pytest.fixture(scope="module")
def mine(platform: Platform, jane: httpx.Client) -> Mine:
    number = numbers(1)[0]
    with signed_in(platform, "nancy") as nancy:
        nancy.post("/api/customers/imports", content=table([number])).raise_for_status()
    found = jane.post("/api/customers/search", json={"email": email(number)}).json()["items"]
    return Mine(number, found[0]["id"])


PAGE = {"Accept": "text/html", "X-Purpose": "support"}
Way = Callable[[httpx.Client, Mine], httpx.Response]


def correct(jane: httpx.Client, one: Mine) -> httpx.Response:
    """Over the API, without changing a thing: the answer shows the record all the same."""
    etag = f'"{version(jane, one)}"'
    return jane.patch(f"/api/customers/{one.id}", json={"fields": {"city": "Nowhere"}}, headers={"If-Match": etag})


def correct_page(jane: httpx.Client, one: Mine) -> httpx.Response:
    form = {"version": version(jane, one), "field": "city", "value": "Nowhere"}
    return jane.post(f"/customers/{one.id}", data=form, headers=PAGE | {"Origin": str(jane.base_url).rstrip("/")})


def version(jane: httpx.Client, one: Mine) -> int:
    return int(jane.get(f"/api/customers/{one.id}").raise_for_status().headers["etag"].strip('"'))


# Every way on which a customer's data leaves over HTTP, and how many looks it takes (to correct one needs its version first).
WAYS: dict[str, tuple[int, Way]] = {
    "list": (1, lambda jane, one: jane.get("/api/customers")),
    "search by address": (1, lambda jane, one: jane.post("/api/customers/search", json={"email": email(one.number)})),
    "search by number": (1, lambda jane, one: jane.post("/api/customers/search", json={"phone": "+1 604 555 0199"})),
    "one": (1, lambda jane, one: jane.get(f"/api/customers/{one.id}")),
    "correction": (2, correct),
    "page: list": (1, lambda jane, one: jane.get("/customers", headers=PAGE)),
    "page: search": (
        1,
        lambda jane, one: jane.post(
            "/customers", data={"q": email(one.number)}, headers=PAGE | {"Origin": str(jane.base_url).rstrip("/")}
        ),
    ),
    "page: one": (1, lambda jane, one: jane.get(f"/customers/{one.id}", headers=PAGE)),
    "page: correction": (2, correct_page),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_look_is_told(platform: Platform, jane: httpx.Client, mine: Mine, way: str) -> None:
    before = published(platform)
    looks, go = WAYS[way]
    assert go(jane, mine).status_code in (200, 303)
    assert published(platform) - before == looks, f"{way}: who looked this way is not told of, or not once"


async def test_an_export_tells_of_everybody_in_it(platform: Platform, jane: httpx.Client, mine: Mine) -> None:
    grant = backups.granted_to(platform, "jane", "export", "customers")
    own = pyrage.x25519.Identity.generate()
    asked = {"json": {"recipient": str(own.to_public())}, "headers": {"X-Kept-Grant": grant}}
    sealed = jane.post("/api/customers/exports", **asked).raise_for_status().content
    table = csv.reader(io.StringIO(pyrage.decrypt(sealed, [own]).decode("utf-8-sig"), newline=""))
    left = {row[0] for row in list(table)[1:]}
    assert mine.id in left
    looks = await told(
        platform.state, VIEWED, "kept.customers", lambda e: e.data["purpose"] == "export" and mine.id in e.data["subjects"]
    )
    newest = max(looks, key=lambda e: e.id)
    assert set(newest.data["subjects"]) == left, "each person in the file is named in the look"
    assert newest.actor == me(jane) and set(newest.data["fields"].values()) == {"clear"}


async def test_what_is_read_for_a_persons_request_is_told_too(platform: Platform, mine: Mine) -> None:
    """The holders read for it, and the person reads it."""
    person = Person(platform.origin, email(mine.number))
    person.ask("access")
    person.prove()
    person.until("Download my data")
    person.package()
    fits = lambda e: e.subject == mine.id and e.data["purpose"] == "data-subject request"  # noqa: E731
    (look,) = await told(platform.state, VIEWED, "kept.customers", fits)
    assert set(look.data["fields"]) >= {"email", "phone", "last_name"}
    delivered = "kept.dsar.package.delivered.v1"
    (taken,) = await told(platform.state, delivered, "kept.dsar", lambda e: e.data["request_id"] == person.request_id)
    assert "customers" in taken.data["holders"]
    person.http.post(f"/requests/{person.request_id}/close")


async def test_the_staffs_own_data_is_personal_data(platform: Platform) -> None:
    """The account page, and what identity reads for the request of a member of staff."""
    kind, topic = "kept.identity.account.viewed.v1", "kept.identity"
    with signed_in(platform, "laura") as laura:
        who = me(laura)
        before = [e.data["purpose"] for e in await of_type(platform.state, kind, topic) if e.subject == who]
        assert laura.get("/account", headers={"Accept": "text/html"}).status_code == 200
    person = Person(platform.origin, credentials(platform.state, "laura")["email"])
    person.ask("access")
    person.prove()
    person.until("Download my data")
    for purpose in ("own_account", "data-subject request"):
        looks = await told(
            platform.state, kind, topic, lambda e, why=purpose: e.subject == who and e.data["purpose"] == why,  # type: ignore[misc]
            count=before.count(purpose) + 1, seconds=120,
        )  # fmt: skip
        assert set(looks[-1].data["fields"]) >= {"name", "email"}, purpose
    person.http.post(f"/requests/{person.request_id}/close")


async def test_who_opens_what_was_sealed_is_told_of(platform: Platform) -> None:
    """What a foreign system sent may say anything: to open it is a look, also at nobody in particular."""
    ce_id = new_event_id()
    headers = [("ce_id", ce_id.encode()), ("ce_type", b"billing.note.written.v1")]
    async with Insider(platform.state, "billing").producer() as producer:
        await producer.send_and_wait("billing.events", b'{"note": "call back"}', headers=headers)
    kind = "kept.audit.entry.viewed.v1"
    with signed_in(platform, "andrew") as officer:
        path, who = f"/api/audit/events/{ce_id}", me(officer)
        await asyncio.to_thread(wait_until, lambda: officer.get(path).status_code == 200)
        before = len(await of_type(platform.state, kind, "kept.audit"))
        assert "call back" in officer.get(path, params={"opened": "true"}).raise_for_status().text
    seen = await told(platform.state, kind, "kept.audit", lambda e: (e.actor, e.data["fields"]) == (who, {"entry": "opened"}))
    assert seen and len(await of_type(platform.state, kind, "kept.audit")) > before


async def refusals(platform: Platform, who: str, subject: str | None) -> list[dict[str, object]]:
    """What is on the bus of refused attempts of `who` at `subject`."""
    found = await of_type(platform.state, "kept.customers.access.refused.v1")
    return [one.data for one in found if (one.actor, one.subject) == (who, subject)]  # type: ignore[misc]


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
        said = await _within(lambda subject=subject: refusals(platform, me(jane), subject), 2)  # type: ignore[misc]
        assert [(one["action"], one["policies"]) for one in said[-2:]] == [("view", []), ("update", [])]
        assert said[-2]["purpose"] == "support" and said[-2]["resource"] == f"Customer:{subject}"


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
