"""P11. Two people for what one person must not do alone.

Over real HTTP and the real bus: no single person, nor the same one twice, ever comes to hold a grant; no service erases or
exports without one, and a grant is used once (a restore's: test_p08).
"""

import asyncio
import base64
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pyrage
import pytest
import uuid_utils

from services.identity.pages.texts import EN
from shared.access import grants
from shared.access.actor import Actor
from shared.access.tokens import ISSUER, ClaimsVerifier, PublishedKeys, TokenVerifier
from shared.clock import SystemClock
from shared.errors import NotAllowedError, UnauthenticatedError
from shared.holder.contract import COMMANDS
from tests.support import backups
from tests.support.insider import Insider, wait_until
from tests.support.made_up import email, numbers, table
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.staff import me, signed_in, token
from tests.support.topic import of_type

pytestmark = pytest.mark.platform
API = "/api/identity/approvals"
ERASE = "kept.dsar.command.erase.v1"
REMINDED = "kept.identity.approval.reminded.v1"
LONG_AGO = """UPDATE approvals SET requested_at = now() - interval '40 days', expires_at = now() - interval '9 days'
WHERE id = %s"""
ROW = """INSERT INTO approvals (id, action, resource, requester, state, requested_at, expires_at)
VALUES (%(id)s, 'erase', %(resource)s, %(requester)s, 'requested', now(), now() + interval '1 day')"""


def ask(platform: Platform, who: str = "michael", action: str = "restore") -> str:
    """A fresh approval; its id."""
    answer = signed_in(platform, who).post(API, json={"action": action, "resource": f"bak_{uuid.uuid4().hex}"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def say(platform: Platform, who: str, approval: str, word: str = "approve", **body: str) -> int:
    return signed_in(platform, who).post(f"{API}/{approval}/{word}", json=body or None).status_code


def state(platform: Platform, approval: str) -> dict[str, Any]:
    found: dict[str, Any] = signed_in(platform, "andrew").get(f"{API}/{approval}").json()
    return found


def grant(platform: Platform, who: str, approval: str) -> tuple[int, str]:
    answer = signed_in(platform, who).get(f"{API}/{approval}/grant")
    return answer.status_code, str(answer.json().get("grant", ""))


def test_who_asked_cannot_agree_though_the_role_would_allow_it(platform: Platform) -> None:
    approval = ask(platform, "michael")  # security officer: may decide about other people's restores
    assert say(platform, "michael", approval) == 403
    assert say(platform, "nancy", approval) == 200
    assert say(platform, "michael", approval) == 403
    assert state(platform, approval)["state"] == "requested"
    assert grant(platform, "michael", approval)[0] == 409


def test_one_person_twice_is_one_person(platform: Platform) -> None:
    approval = ask(platform)
    assert [say(platform, "nancy", approval) for _ in range(3)] == [200, 409, 409]
    assert state(platform, approval)["state"] == "requested"


def test_one_person_many_times_at_once_is_one_person(platform: Platform) -> None:
    approval = ask(platform)
    signed_in(platform, "nancy")
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: say(platform, "nancy", approval), range(8)))
    assert sorted(said) == [200] + [409] * 7
    assert len(state(platform, approval)["approvers"]) == 1


def test_roles_that_may_not_decide(platform: Platform) -> None:
    approval = ask(platform)
    assert [say(platform, who, approval) for who in ("jane", "robert")] == [403, 403]
    assert signed_in(platform, "jane").get(f"{API}/{approval}").status_code == 404, "nor may they know of it"


def test_one_no_ends_it_and_takes_a_reason(platform: Platform) -> None:
    approval = ask(platform)
    for body in ({}, {"reason": ""}, {"reason": "because"}, {"reason": "gdpr-17-3-b"}):
        answer = signed_in(platform, "nancy").post(f"{API}/{approval}/refuse", json=body or None)
        assert (answer.status_code, answer.json()["field"]) == (422, "reason"), body
    assert state(platform, approval)["state"] == "requested"
    assert say(platform, "nancy", approval, "refuse", reason="no-purpose") == 200
    assert state(platform, approval)["ground"] == "no-purpose"
    assert say(platform, "andrew", approval) == 409
    assert grant(platform, "michael", approval)[0] == 409


async def test_two_people_make_a_grant_for_one_action_one_resource_one_holder(platform: Platform) -> None:
    approval = await asyncio.to_thread(ask, platform)
    assert [say(platform, who, approval) for who in ("nancy", "andrew")] == [200, 200]
    told = state(platform, approval)
    assert told["state"] == "granted" and len(set(told["approvers"])) == 2 and told["requester"] not in told["approvers"]
    assert grant(platform, "nancy", approval)[0] == 403, "only who asked gets it"
    status, text = grant(platform, "michael", approval)
    again = grant(platform, "michael", approval)[1]
    assert status == 200

    claims = ClaimsVerifier(PublishedKeys(f"{platform.origin}/.well-known/jwks.json"), SystemClock())
    michael = Actor(told["requester"], "user")
    made = await grants.granted(claims, text, "restore", told["resource"], michael)
    assert made.jti == (await grants.granted(claims, again, "restore", told["resource"], michael)).jti, "one approval, one use"
    assert made.approvers == set(told["approvers"]) and 0 < made.expires.timestamp() - time.time() <= 3600
    for action, resource, actor in (
        ("erase", told["resource"], michael),
        ("restore", "bak_other", michael),
        ("restore", told["resource"], Actor("sub_other", "user")),
    ):
        with pytest.raises(NotAllowedError):
            await grants.granted(claims, text, action, resource, actor)
    with pytest.raises(NotAllowedError):
        await grants.granted(claims, forged(text, approvers=["a", "b"]), "restore", told["resource"], michael)
    with pytest.raises(NotAllowedError):  # a session is no grant, nor the reverse
        await grants.granted(claims, token(platform, "michael"), "restore", told["resource"], michael)
    sessions = TokenVerifier(f"{platform.origin}/.well-known/jwks.json", ISSUER, SystemClock())
    with pytest.raises(UnauthenticatedError):
        await sessions.verify(text)


def forged(text: str, **changes: object) -> str:
    """The same token with other claims and the old signature."""
    head, body, signature = text.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | changes
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode(), signature))


async def test_an_erasure_announced_on_the_bus_waits_for_two(platform: Platform) -> None:
    """The way of an erasure: dsar's event, two people, identity's event. Twice the same event: one approval."""
    request, subject = f"req_{uuid.uuid4().hex}", f"sub_{uuid.uuid4().hex}"
    await announce(platform, request, subject)
    await announce(platform, request, subject)

    def waiting() -> list[dict[str, Any]]:
        items = signed_in(platform, "andrew").get(API).json()["items"]
        return [one for one in items if one["resource"] == request]

    (approval,) = await asyncio.to_thread(wait_until, waiting)
    assert approval["action"] == "erase" and approval["state"] == "requested"
    assert say(platform, "michael", approval["id"]) == 403, "the security officer does not decide about erasures"
    assert say(platform, "andrew", approval["id"]) == 200
    assert await granted(platform, request, seconds=3) == [], "one person's word is not enough"
    assert say(platform, "nancy", approval["id"]) == 200
    (event,) = await granted(platform, request, seconds=120)
    assert event["action"] == "erase" and len(set(event["approvers"])) == 2
    assert len(waiting()) == 1


async def test_staff_cannot_ask_for_an_erasure_in_dsars_place(platform: Platform) -> None:
    """Else it stood in the way of the real one, or counted without the person concerned being kept out."""
    request, subject = f"req_{uuid.uuid4().hex}", f"sub_{uuid.uuid4().hex}"
    for who in ("michael", "nancy", "andrew", "jane"):
        answer = signed_in(platform, who).post(API, json={"action": "erase", "resource": request})
        assert answer.status_code == 403, answer.text
    assert waiting_for(platform, request) == []
    with Insider(platform.state, "identity").connect("identity") as database, pytest.raises(psycopg.errors.CheckViolation):
        database.execute(
            ROW, {"id": f"apr_{uuid.uuid4().hex}", "resource": request, "requester": me(signed_in(platform, "nancy"))}
        )
    await announce(platform, request, subject)
    (approval,) = await asyncio.to_thread(wait_until, lambda: waiting_for(platform, request))
    assert approval["requester"] == "system:dsar" and approval["subject"] == subject and not approval["lapses"]
    for who in ("nancy", "andrew"):
        assert grant(platform, who, approval["id"])[0] == 403, "dsar's approval is nobody else's"


async def test_an_undecided_erasure_reminds_and_never_becomes_a_no(platform: Platform) -> None:
    """Long past the law's date it is still there to be decided, and the person is told nothing that nobody said."""
    person = await asyncio.to_thread(asked_to_be_forgotten, platform)
    (approval,) = await asyncio.to_thread(wait_until, lambda: waiting_for(platform, person.request_id))
    assert approval["grounds"] and approval["reminders"] == 0
    with Insider(platform.state, "identity").connect("identity") as database:
        database.execute(LONG_AGO, [approval["id"]])
    with Insider(platform.state, "dsar").connect("dsar") as database:
        database.execute("UPDATE requests SET due_at = now() - interval '9 days' WHERE id = %s", [person.request_id])

    def reminded() -> dict[str, Any] | None:
        return now if (now := state(platform, approval["id"]))["reminders"] else None

    now = await asyncio.to_thread(wait_until, reminded, 120)
    assert (now["state"], now["reminder"]) == ("requested", "overdue")
    told = [e.data for e in await of_type(platform.state, REMINDED, "kept.identity")]
    assert [(one["level"], one["approvers"]) for one in told if one["approval_id"] == approval["id"]] == [("overdue", [])]
    page = signed_in(platform, "nancy").get("/approvals", headers={"Accept": "text/html"}).text
    assert EN["level.overdue.law"].replace("'", "&#39;") in page and approval["grounds"][0]["en"] in page
    mine = person.page()
    assert "it waits for two people to decide" in mine and "should have been answered by now" in mine and "refused" not in mine
    assert say(platform, "andrew", approval["id"]) == 200 and say(platform, "nancy", approval["id"]) == 200, "late, and good"
    assert state(platform, approval["id"])["state"] == "granted"
    await asyncio.to_thread(person.until, "/certificate")


async def test_a_refused_person_is_told_why_and_where_to_complain(platform: Platform) -> None:
    person = await asyncio.to_thread(asked_to_be_forgotten, platform)
    (approval,) = await asyncio.to_thread(wait_until, lambda: waiting_for(platform, person.request_id))
    assert say(platform, "andrew", approval["id"], "refuse") == 422, "a no without a reason"
    assert say(platform, "andrew", approval["id"], "refuse", reason="no-purpose") == 422, "a reason that the law does not know"
    ground = approval["grounds"][0]
    assert say(platform, "andrew", approval["id"], "refuse", reason=ground["code"]) == 200
    page = await asyncio.to_thread(person.until, ground["en"])
    assert ground["article"] in page and "You may complain to" in page and "https://" in page and ground["code"] not in page
    (mail,) = await asyncio.to_thread(wait_until, lambda: [m for m in person.mails() if "was refused" in m["subject"]])
    assert ground["en"] in mail["text"] and ground["article"] in mail["text"] and "https://" in mail["text"]


def waiting_for(platform: Platform, resource: str) -> list[dict[str, Any]]:
    items = signed_in(platform, "andrew").get(API).json()["items"]
    return [one for one in items if one["resource"] == resource]


def asked_to_be_forgotten(platform: Platform) -> Person:
    """A customer who has proven their address."""
    number = numbers(1)[0]
    signed_in(platform, "nancy").post("/api/customers/imports", content=table([number])).raise_for_status()
    person = Person(platform.origin, email(number))
    person.ask("erasure")
    person.prove()
    return person


async def test_the_person_concerned_does_not_decide(platform: Platform) -> None:
    """A manager asks to be forgotten: the role would allow them to agree to it."""
    request, subject = f"req_{uuid.uuid4().hex}", me(signed_in(platform, "nancy"))
    await announce(platform, request, subject)
    items = lambda: signed_in(platform, "andrew").get(API).json()["items"]  # noqa: E731
    (approval,) = await asyncio.to_thread(wait_until, lambda: [one for one in items() if one["resource"] == request])
    assert say(platform, "nancy", approval["id"]) == 403, "she agreed to what concerns herself"
    assert say(platform, "andrew", approval["id"]) == 200
    assert state(platform, approval["id"])["state"] == "requested"


async def test_nobody_is_erased_before_two_agreed(platform: Platform) -> None:
    """A real person's request: after the code, and after the first yes, no holder is told to erase anything."""
    person = await asyncio.to_thread(asked_to_be_forgotten, platform)

    def at_the_desk() -> str:
        items = signed_in(platform, "andrew").get("/api/dsar/requests").json()["items"]
        return str(next(one["state"] for one in items if one["id"] == person.request_id))

    async def commanded() -> bool:
        return bool([e for e in await of_type(platform.state, ERASE, COMMANDS) if e.data["request_id"] == person.request_id])

    await asyncio.to_thread(wait_until, lambda: at_the_desk() not in ("received", "verified"))
    assert not await commanded(), "holders were told to erase, and nobody had agreed"
    items = signed_in(platform, "andrew").get(API).json()["items"]
    (approval,) = [one["id"] for one in items if one["resource"] == person.request_id]
    assert say(platform, "andrew", approval) == 200
    assert at_the_desk() == "assessed"
    assert not await commanded(), "one person's word erased somebody"
    (ground, *_) = state(platform, approval)["grounds"]
    assert say(platform, "nancy", approval, "refuse", reason=ground["code"]) == 200
    await asyncio.to_thread(wait_until, lambda: at_the_desk() == "refused")
    assert not await commanded(), "erased in spite of a no"


async def test_an_export_takes_a_grant_of_its_own_and_takes_it_once(platform: Platform) -> None:
    jane = signed_in(platform, "jane")
    body = {"recipient": str(pyrage.x25519.Identity.generate().to_public())}

    def export(grant: str, who: str = "jane") -> int:
        client = signed_in(platform, who)
        return client.post("/api/customers/exports", json=body, headers={"X-Kept-Grant": grant}).status_code

    assert jane.post("/api/customers/exports", json=body).status_code == 422, "exported without any grant"
    mine = await asyncio.to_thread(backups.granted_to, platform, "jane", "export", "customers")
    assert export(mine, "nancy") == 403, "another person's grant"
    other = await asyncio.to_thread(backups.granted_to, platform, "michael", "restore", f"bak_{uuid.uuid4().hex}")
    assert export(other) == 403, "a grant for something else"
    assert export(mine) == 200
    assert export(mine) == 409, "one approval, two exports"


async def announce(platform: Platform, request: str, subject: str) -> None:
    """As dsar publishes it."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid_utils.uuid7()),
        "ce_type": "kept.dsar.erasure.requested.v1",
        "ce_source": "/services/dsar",
        "ce_time": "2026-11-24T00:00:00.000000Z",
        "ce_actor": "system:dsar",
        "ce_subject": subject,
        "content-type": "application/json",
    }
    producer = Insider(platform.state, "dsar").producer()
    await producer.start()
    try:
        body = json.dumps({"request_id": request}).encode()
        sent = [(name, value.encode()) for name, value in headers.items()]
        await producer.send_and_wait("kept.dsar", body, key=request.encode(), headers=sent)
    finally:
        await producer.stop()


async def granted(platform: Platform, resource: str, seconds: float) -> list[dict[str, Any]]:
    """`approval.granted` events about `resource`, as the audit service would read them; waits for the first one."""
    consumer = Insider(platform.state, "audit").consumer("kept.identity")
    await consumer.start()
    found: list[dict[str, Any]] = []
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not found:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    if dict(record.headers).get("ce_type") == b"kept.identity.approval.granted.v1":
                        data = json.loads(record.value)
                        found += [data] if data["resource"] == resource else []
    finally:
        await consumer.stop()
    return found
