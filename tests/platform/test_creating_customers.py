"""POST /api/customers: who may make a record for whom, what is refused, and what is told of it."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from services.customers.base import TABLES
from services.customers.settings import CustomersSettings
from shared.access.actor import Actor
from shared.service import Ground, ground
from tests.support.customers import holder_of, tools_of
from tests.support.insider import Insider
from tests.support.pages import every
from tests.support.platform import Platform
from tests.support.staff import me, signed_in

pytestmark = pytest.mark.platform
PLACE = {"address": "1 Nowhere Lane", "city": "Nowhere", "country": "Canada", "phone": "+1 604 555 0199"}


@pytest.fixture
async def base(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    for name, value in platform.environment("customers").items():
        monkeypatch.setenv(name, value)
    found = await ground(CustomersSettings(), TABLES)
    yield found
    await found.engine.dispose()


def somebody() -> dict[str, str]:
    """A person whom nobody made up before."""
    return {"first_name": "Made", "last_name": f"Zyxwv{uuid4().hex[:8]}", "email": f"new.{uuid4().hex}@example.org", **PLACE}


def told(platform: Platform, subject: str) -> list[str]:
    """The types of what customers published of somebody, in order."""
    with Insider(platform.state, "customers").connect("customers") as db:
        rows = db.execute("SELECT headers FROM outbox WHERE key = %s ORDER BY id", (subject,)).fetchall()
    return [dict(row[0])["ce_type"] for row in rows]


def made_again(platform: Platform, subject: str) -> bool:
    """Whether the event that told of the record says that the person had been forgotten."""
    with Insider(platform.state, "customers").connect("customers") as db:
        row = db.execute("SELECT value FROM outbox WHERE key = %s ORDER BY id LIMIT 1", (subject,)).fetchone()
    assert row is not None
    return bool(json.loads(bytes(row[0]))["returned"])


def test_a_record_is_its_makers_and_is_found_read_and_corrected(platform: Platform, jane: httpx.Client) -> None:
    person = somebody()
    made = jane.post("/api/customers", json={"fields": person})
    assert made.status_code == 201, made.text
    one = made.json()
    assert (one["version"], one["owner"], made.headers["etag"]) == (1, me(jane), '"1"')
    assert made.headers["location"] == f"/api/customers/{one['id']}"
    assert one["fields"]["city"] == {"level": "clear", "value": "Nowhere"}
    assert one["fields"]["email"]["level"] == "masked" and person["email"] not in made.text, "as any look for this purpose"
    found = jane.post("/api/customers/search", json={"email": person["email"].upper()}).json()["items"]
    assert [it["id"] for it in found] == [one["id"]]
    read = jane.get(made.headers["location"], headers={"X-Purpose": "delivery"})
    assert read.json()["fields"]["address"]["value"] == person["address"]
    change = {"fields": {"city": "Elsewhere"}}
    assert jane.patch(made.headers["location"], json=change, headers={"If-Match": '"1"'}).status_code == 200
    assert told(platform, one["id"])[0] == "kept.customers.customer.created.v1"


def test_for_oneself_and_ones_reporting_line_and_nobody_else(
    platform: Platform, jane: httpx.Client, nancy: httpx.Client
) -> None:
    made = nancy.post("/api/customers", json={"fields": somebody(), "owner": me(jane)})
    assert (made.status_code, made.json()["owner"]) == (201, me(jane))
    assert jane.get(made.headers["location"]).status_code == 200
    with signed_in(platform, "margaret") as margaret:
        assert margaret.get(made.headers["location"]).status_code == 404
        theirs = margaret.post("/api/customers", json={"fields": somebody(), "owner": me(jane)})
    upward = jane.post("/api/customers", json={"fields": somebody(), "owner": me(nancy)})
    nobody = nancy.post("/api/customers", json={"fields": somebody(), "owner": f"sub_{'0' * 32}"})
    with signed_in(platform, "michael") as it:
        outside = it.post("/api/customers", json={"fields": somebody()})
    refused = [theirs, upward, nobody, outside]
    assert {(one.status_code, one.json()["code"]) for one in refused} == {(403, "not-allowed")}
    assert httpx.post(f"{platform.origin}/api/customers", json={"fields": somebody()}).status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"fax": "1"}, "fax"), ({"email": ""}, "email"), ({"email": "nobody"}, "email"), ({"city": "x" * 201}, "city"),
        ({"first_name": "", "last_name": ""}, "LastName"), ({"city": "a\u200bb"}, "city"),
    ],
)  # fmt: skip
def test_what_the_policy_or_the_grammar_refuses_is_named_and_never_repeated(
    jane: httpx.Client, change: dict[str, str], field: str
) -> None:
    person = somebody() | change
    refused = jane.post("/api/customers", json={"fields": person})
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert refused.headers["content-type"] == "application/problem+json"
    assert person["last_name"] not in refused.text or not person["last_name"]
    if "@" in person["email"]:
        assert jane.post("/api/customers/search", json={"email": person["email"]}).json()["items"] == []


def test_a_phone_that_nobody_can_dial_is_kept_and_listed(jane: httpx.Client) -> None:
    made = jane.post("/api/customers", json={"fields": somebody() | {"phone": "1.2E+10"}}).json()
    listed = every(jane, "/api/customers/unusable", limit=200)
    assert [one["field"] for one in listed if one["subject"] == made["id"]] == ["phone"]


def test_a_second_try_makes_nobody_twice_and_keeps_nobodys_values(platform: Platform, jane: httpx.Client) -> None:
    person, key = somebody(), {"Idempotency-Key": f'"{uuid4()}"'}
    first, again = (jane.post("/api/customers", json={"fields": person}, headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true" and again.headers["location"] == first.headers["location"]
    assert again.json() == {**first.json(), "fields": {}}
    assert len(jane.post("/api/customers/search", json={"email": person["email"]}).json()["items"]) == 1
    assert told(platform, first.json()["id"]).count("kept.customers.customer.created.v1") == 1
    other = jane.post("/api/customers", json={"fields": somebody()}, headers=key)
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")


async def test_who_was_forgotten_comes_back_only_where_somebody_says_so(
    platform: Platform, jane: httpx.Client, base: Ground
) -> None:
    person = somebody()
    subject = jane.post("/api/customers", json={"fields": person}).json()["id"]
    async with base.door.begin(Actor.system("customers")) as w:
        await holder_of(tools_of(base.vault)).erase(w, subject, "req_1")
    again = {"fields": person | {"email": person["email"].upper()}}
    refused = jane.post("/api/customers", json=again)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert person["email"] not in refused.text.lower()
    back = jane.post("/api/customers?returning=true", json=again)
    assert back.status_code == 201 and back.json()["id"] != subject
    assert [made_again(platform, one) for one in (subject, back.json()["id"])] == [False, True]
    assert jane.post("/api/customers", json=again).status_code == 201, "a customer like any other from then on"
