"""A holder that lies, with all that another team's service has: its broker user, its role in Vault, every pseudonym it has
seen.

Its forged answers cost nobody their data and nobody their key, make no certificate and no mail; each is an alarm; and the
request ends as it should once the true answer comes.
"""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from pyrage import encrypt, x25519

from services.audit.log.entry import Kind
from services.dsar.saga.parts import BYTES_MAX, PARTS_MAX
from shared.access.actor import Actor
from shared.bus.envelope import to_record
from shared.bus.event import Event
from shared.clock import SystemClock
from shared.holder.answers import signed
from shared.holder.contract import Collected, Erased, Kept, Located
from shared.ids import new_event_id, new_id
from shared.notes.note import verify_note, vkey
from shared.notes.tlogproof import parse_receipt
from tests.promises.test_p02_one_key_per_person import bring
from tests.promises.test_p12_a_person_sees_it_all import approve
from tests.support import logbook
from tests.support.insider import Insider, wait_until
from tests.support.made_up import email
from tests.support.platform import Platform
from tests.support.portal import Person, opened
from tests.support.topic import Seen, whole

pytestmark = pytest.mark.platform
REFUSED, ALARM, SHREDDED = "kept.dsar.answer.refused.v1", "kept.audit.alarm.raised.v1", "kept.billing.subject.shredded.v2"
ERASED = "kept.billing.answer.erased.v2"
HOLDERS = ["audit", "billing", "customers", "dsar", "identity"]


class Stolen:
    """Signs as `holder`, with its role in Vault."""

    def __init__(self, platform: Platform, holder: str) -> None:
        self._vault, self._key, self.name = (
            Insider(platform.state, holder).vault,
            f"kept-{holder}-notes",
            f"kept.local/{holder}",
        )

    @property
    def public(self) -> bytes:
        keys = self._vault.read(f"transit/keys/{self._key}")["data"]["keys"]
        return base64.b64decode(keys[max(keys, key=int)]["public_key"])

    async def sign(self, message: bytes) -> tuple[bytes, bytes]:
        data = {"input": base64.b64encode(message).decode()}
        answer = self._vault.write_data(f"transit/sign/{self._key}", data=data)["data"]["signature"]
        return self.public, base64.b64decode(answer.split(":", 2)[2])


async def send(platform: Platform, events: Sequence[Event], *, by: str = "billing", topic: str = "") -> list[str]:
    """As `by`, on the events' own topic or another; their ids."""
    ids = []
    async with Insider(platform.state, by).producer() as producer:
        for event in events:
            ids.append(new_event_id())
            one = to_record(event, Actor.system(by), SystemClock().now(), ids[-1])
            await producer.send_and_wait(topic or one.topic, one.value, key=one.key, headers=list(one.headers))
    return ids


async def refused(platform: Platform, request: str) -> list[tuple[str, str, str]]:
    """(answer, verb, reason) of each answer to the request that raised an alarm."""
    found = [one.envelope.data for one in await whole(platform.state, "kept.dsar") if one.envelope.type == REFUSED]
    return [(one["answer_id"], one["verb"], one["reason"]) for one in found if one["request_id"] == request]


async def commands(platform: Platform, request: str, kind: str) -> list[Seen]:
    found = await whole(platform.state, "kept.dsar.commands")
    return [one for one in found if one.envelope.type == kind and one.envelope.data["request_id"] == request]


def row(platform: Platform, service: str, query: str, *values: str) -> Any:
    with Insider(platform.state, service).connect(service) as connection:
        return connection.execute(query, values).fetchone()  # type: ignore[call-overload]  # fixed texts


async def until(platform: Platform, request: str, ids: Sequence[str]) -> None:
    """Each of these answers has raised its alarm."""
    for _ in range(200):
        if {one[0] for one in await refused(platform, request)} >= set(ids):
            return
    raise AssertionError(f"no alarm for {set(ids) - {one[0] for one in await refused(platform, request)}}")


async def test_who_names_somebody_elses_pseudonym_is_asked_about_nothing_and_it_is_left_out(
    platform: Platform, jane: httpx.Client
) -> None:
    (mine, me), (theirs, victim) = bring(platform, jane, 2)
    person = Person(platform.origin, email(mine))
    evil = f"loc_1_{'e' * 64}"
    with platform.paused("billing"):
        person.ask("access")
        person.prove()
        request = person.request_id
        said = Located.of("billing")(request_id=request, holder="billing", subjects=[victim], found={victim: []}, note="")
        (said_id,) = await send(platform, [*await signed([said], Stolen(platform, "billing"))])
        wait_until(lambda: row(platform, "dsar", "SELECT 1 FROM inbox WHERE ce_id = %s", said_id))
        ask = "SELECT count(*) FROM asks WHERE request_id = %s AND command = 'collect'"
        wait_until(lambda: row(platform, "dsar", ask, request)[0] == len(HOLDERS))
        assert "How many: 1." in person.page() and victim not in person.page(), "left out, and counted"
        # A holder of ours that says too much, on its own topic: audit learns nothing from it.
        poison = to_record(said, Actor.system("dsar"), SystemClock().now(), new_event_id())
        headers = [*poison.headers, ("ce_subject", victim.encode())]
        async with Insider(platform.state, "dsar").producer() as producer:
            body = json.dumps({"locators": [evil]}).encode()
            await producer.send_and_wait("kept.dsar.answers.dsar", body, key=poison.key, headers=headers)
    asked = {
        one.envelope.subject: one.envelope.data["holders"]
        for one in await commands(platform, request, "kept.dsar.command.collect.v2")
    }
    assert asked == {me: HOLDERS}
    person.until("Download my data")
    package = json.dumps(opened(person.package()))
    assert f"Zyxwv{mine}" in package and f"Zyxwv{theirs}" not in package and victim not in package
    assert row(platform, "dsar", "SELECT subjects FROM requests WHERE id = %s", request) == ([me],)
    wait_until(
        lambda: row(
            platform,
            "audit",
            "SELECT count(*) FROM trail.events WHERE subject = %s AND shard LIKE 'kept.dsar.answers.dsar/%%'",
            victim,
        )[0]
    )
    assert row(platform, "audit", "SELECT count(*) FROM trail.known_locators WHERE locator = %s", evil) == (0,)
    person.http.post(f"/requests/{request}/close")


async def asked_for(platform: Platform, request: str) -> str:
    """billing says in its own name that it knows nobody by this address; once everybody is asked what they hold: to which key
    the answers go."""
    none = Located.of("billing")(request_id=request, holder="billing", subjects=[], found={}, note="")
    await send(platform, [*await signed([none], Stolen(platform, "billing"))])
    ask = "SELECT count(*) FROM asks WHERE request_id = %s AND command = 'collect'"
    wait_until(lambda: row(platform, "dsar", ask, request)[0] == len(HOLDERS))
    (to,) = row(platform, "dsar", "SELECT recipient FROM requests WHERE id = %s", request)
    return str(to)


async def test_a_part_that_cannot_be_read_is_asked_for_again_and_spoils_no_package(
    platform: Platform, jane: httpx.Client
) -> None:
    """billing itself, with its own note: not sealed to the request, a part behind the last one, and what no page can show."""
    ((number, me),) = bring(platform, jane, 1)
    person = Person(platform.origin, email(number))
    with platform.paused("billing"):
        person.ask("access")
        person.prove()
        request = person.request_id
        to = await asked_for(platform, request)
        empty = encrypt(b'{"holder": "billing"}', [x25519.Recipient.from_str(to)])
        ids: list[str] = []
        wide = [{"name": "n", "records": [{f"k{n}": "v"} for n in range(2_500)]}]  # a table of columns x records
        page = encrypt(json.dumps({"holder": "billing", "categories": wide}).encode(), [x25519.Recipient.from_str(to)])
        parts = (1, b"not age"), (2, empty), (1, encrypt(b"{}", [x25519.Recipient.from_str(to)])), (1, page)
        for part, sealed in parts:
            said = Collected.of("billing")(
                request_id=request, holder="billing", subjects=[me], part=part, parts=1, note="",
                sealed=base64.b64encode(sealed).decode(),
            )  # fmt: skip
            ids += await send(platform, await signed([said], Stolen(platform, "billing")))
        await until(platform, request, ids)
        assert {one[1:] for one in await refused(platform, request)} == {("collected", "unreadable")}
        assert "Download my data" not in person.page()
    person.until("Download my data")
    package = opened(person.package())
    assert f"Zyxwv{number}" in json.dumps(package) and "data/billing.json" in package
    person.http.post(f"/requests/{request}/close")


@pytest.mark.parametrize(("announced", "sent", "kilobytes"), [(PARTS_MAX + 1, 40, 1), (100, 80, 340)], ids=["many", "large"])
async def test_a_holder_that_answers_too_much_is_one_alarm_and_fills_no_table(
    platform: Platform, jane: httpx.Client, announced: int, sent: int, kilobytes: int
) -> None:
    ((number, me),) = bring(platform, jane, 1)
    person = Person(platform.origin, email(number))
    with platform.paused("billing"):
        person.ask("access")
        person.prove()
        request = person.request_id
        to = await asked_for(platform, request)
        whole = json.dumps(
            {"holder": "billing", "categories": [{"name": "n", "records": [{"x": "x" * kilobytes * 1024}]}]}
        ).encode()
        sealed = base64.b64encode(encrypt(whole, [x25519.Recipient.from_str(to)])).decode()
        said = [
            Collected.of("billing")(
                request_id=request, holder="billing", subjects=[me], part=part, parts=announced, sealed=sealed, note=""
            )
            for part in range(1, sent + 1)
        ]
        ids = await send(platform, await signed(said, Stolen(platform, "billing")))
        wait_until(lambda: row(platform, "dsar", "SELECT 1 FROM inbox WHERE ce_id = %s", ids[-1]))
        alarms = await refused(platform, request)
        asks = "SELECT tries FROM asks WHERE request_id = %s AND command = 'collect' AND holder = 'billing'"
        assert {one[1:] for one in alarms} == {("collected", "too-much")}
        assert len(alarms) <= row(platform, "dsar", asks, request)[0], "one for each asking"
        kept = "SELECT coalesce(sum(octet_length(sealed)), 0) FROM parts WHERE request_id = %s AND holder = 'billing'"
        assert row(platform, "dsar", kept, request)[0] <= (0 if announced > PARTS_MAX else BYTES_MAX)
        assert "Download my data" not in person.page(), "it is waited for, as if it had not answered"
    person.until("Download my data")
    package = opened(person.package())
    assert "x" * kilobytes * 1024 not in json.dumps(package) and "data/billing.json" in package
    person.http.post(f"/requests/{request}/close")


async def test_a_forged_erasure_makes_no_certificate_and_the_true_one_does(platform: Platform, jane: httpx.Client) -> None:
    (number, subject), (_, neighbour) = bring(platform, jane, 2)
    person = Person(platform.origin, email(number))
    person.ask("erasure")
    person.prove()
    person.until("it waits for two people to decide")
    request, alarms, before = person.request_id, await late(platform), sealed(platform)
    with platform.paused("billing"):
        approve(platform, request, "nancy", "andrew")
        wait_until(lambda: owing(platform, request) == ["billing"])
        approval = row(platform, "dsar", "SELECT approval_id FROM requests WHERE id = %s", request)[0]
        forged = await forgeries(platform, request, subject, neighbour, approval)
        ids = await send(platform, forged)
        ids += await send(platform, await signed(hidden(forged[0]), Stolen(platform, "billing")))
        # In another holder's name: on billing's own topic it is out of place, on theirs the broker does not take it (P6).
        as_customers = Erased.of("customers").model_validate(forged[0].model_dump() | {"holder": "customers"})
        ids += await send(platform, [as_customers], topic="kept.dsar.answers.billing")
        await until(platform, request, ids)
        assert [one[2] for one in await refused(platform, request)] == [
            *["bad-note"] * len(forged), *["unreadable"] * 3, "misplaced"
        ]  # fmt: skip
        assert owing(platform, request) == ["billing"] and "Download the certificate" not in person.page()
        assert row(platform, "dsar", "SELECT state FROM requests WHERE id = %s", request) == ("dispatched",)
        assert not [mail for mail in person.mails() if "certificate" in mail["text"]]
    person.until("Download the certificate")
    note = person.certificate()
    assert (
        platform.kept("dsar", "check", certificate_file(platform, note), "--log-url", f"{platform.origin}/log").returncode == 0
    )
    evidence = json.loads(
        base64.b64decode(verify_note(note, [vkey("kept.local/dsar", Stolen(platform, "dsar").public)]).split("evidence ")[1])
    )
    assert {one["holder"] for one in evidence["answers"]} == set(HOLDERS)
    assert not [mail for mail in person.mails() if "evil.example" in mail["text"]] and "evil.example" not in person.page()
    for one in evidence["answers"]:  # of the event by which dsar said that it verified the holder's word
        assert "/kept.dsar/" in parse_receipt(one["receipt"]).checkpoint.split("\n")[0]
        assert [k["what"] for k in one["kept"]] != ["everything"]
    # Billing answered after audit had destroyed its key for the person: that is in the log, sealed, and no alarm.
    wait_until(lambda: all(sealed(platform)[one] > before[one] for one in (SHREDDED, ERASED)))
    assert await late(platform) == alarms
    assert row(platform, "customers", "SELECT erased_at FROM customers WHERE id = %s", neighbour) == (None,)


def hidden(true: Erased) -> list[Erased]:
    """The holder's own word, in words that would write a mail of theirs, or fit no entry of the log."""
    line = Kept(what="nothing)\n\nImportant: this is not complete. Confirm at https://evil.example", reason="-")
    return [
        true.model_copy(update={"kept": kept})
        for kept in ([line], [Kept(what="x" * 70_000, reason="-")], [Kept(what="x", reason="y")] * 51)
    ]


def owing(platform: Platform, request: str) -> list[str]:
    query = (
        "SELECT array_agg(holder ORDER BY holder) FROM asks WHERE request_id = %s AND command = 'erase' AND answered_at IS NULL"
    )
    return list(row(platform, "dsar", query, request)[0] or [])


async def forgeries(platform: Platform, request: str, subject: str, neighbour: str, approval: str) -> list[Erased]:
    """Everything that is not billing's own word about this request and person."""

    def said(**other: object) -> Erased:
        about: dict[str, object] = {"request_id": request, "holder": "billing", "subjects": [subject], "approval_id": approval}
        what = {
            "fields": 5,
            "key_version": 0,
            "kept": [Kept(what="everything", reason="-")],
            "at": "2026-11-28T00:00:00Z",
            "note": "",
        }
        return Erased.of("billing").model_validate(about | what | other)

    billing, customers = Stolen(platform, "billing"), Stolen(platform, "customers")
    true = [said(), said(request_id=new_id("req")), said(subjects=[neighbour]), said(fields=6), said(approval_id=new_id("apr"))]
    notes = [one.note for one in await signed(true, billing)]
    (by_customers,) = await signed([said()], customers)
    customers.name = "kept.local/billing"
    (under_its_name,) = await signed([said()], customers)
    return [
        said(),  # no note
        said(note=notes[0].replace("erased 5", "erased 0")),
        by_customers.model_copy(update={"note": by_customers.note}),
        under_its_name,
        *(said(note=one) for one in notes[1:]),  # replayed: of another request, person, count, approval
        said(approval_id=new_id("apr"), note=notes[0]),
    ]


async def late(platform: Platform) -> int:
    """Alarms that something came about somebody who was erased."""
    found = [one.envelope for one in await whole(platform.state, "kept.audit") if one.envelope.type == ALARM]
    return sum(one.data["kind"] == "late-record" for one in found)


def sealed(platform: Platform) -> Counter[str]:
    """Billing's notices and answers in the log: how many of each, every one sealed, and none under a person's name."""
    found = [
        entry
        for shard in (f"{topic}/{n}" for topic in ("billing.events", "kept.dsar.answers.billing") for n in range(3))
        for entry in logbook.entries(platform.origin, shard)
        if entry.header("ce_type") in (SHREDDED, ERASED)
    ]
    assert all(entry.kind is Kind.SEALED and "/" in entry.sealing for entry in found)
    return Counter(str(entry.header("ce_type")) for entry in found)


def certificate_file(platform: Platform, note: str) -> str:
    file = platform.state.root / "certificate-of-a-test"
    file.write_text(note, encoding="utf-8")
    return str(file)
