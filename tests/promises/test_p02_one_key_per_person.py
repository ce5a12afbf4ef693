"""P2: one key per person. Destroying it makes the person unreadable everywhere the ciphertext went."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from deploy.local.catalog import ANSWERING, SERVICES
from shared.access.actor import Actor
from shared.bus.envelope import to_record
from shared.errors import TamperError
from shared.holder.contract import Erase, answers_topic
from shared.ids import new_event_id, new_id
from shared.keys.cipher import DataKey, Place, open_
from tests.support.insider import Insider, wait_until
from tests.support.made_up import email, numbers, table
from tests.support.platform import Platform
from tests.support.staff import signed_in
from tests.support.topic import told, whole

SEALED = ("first_name", "last_name", "email", "phone", "address", "city", "state", "country", "postal_code", "number")


@pytest.fixture(scope="module")
def jane(platform: Platform) -> Iterator[httpx.Client]:
    with signed_in(platform, "jane") as client:
        yield client


class Vaults:
    """The service's own rights, used by hand: rows and the keys that open them."""

    def __init__(self, platform: Platform) -> None:
        self.insider = Insider(platform.state, "customers")

    def row(self, subject: str) -> dict[str, bytes]:
        with self.insider.connect("customers") as connection:
            found = connection.execute(f"SELECT {', '.join(SEALED)} FROM customers WHERE id = %s", (subject,)).fetchone()  # type: ignore[call-overload]  # fixed names
        return {name: bytes(value) for name, value in zip(SEALED, found or (), strict=False) if value is not None}

    def key(self, subject: str) -> DataKey | None:
        with self.insider.connect("customers") as connection:
            found = connection.execute(
                "SELECT version, wrapped FROM data_keys WHERE wrapped IS NOT NULL AND subject = %s", (subject,)
            ).fetchone()
        if found is None:
            return None
        opened = self.insider.vault.write_data("transit/decrypt/kept-customers", data={"ciphertext": found[1]})
        return DataKey(int(found[0]), base64.b64decode(opened["data"]["plaintext"]))

    def one(self, query: str, subject: str) -> Any:
        with self.insider.connect("customers") as connection:
            row = connection.execute(query, (subject,)).fetchone()  # type: ignore[call-overload]  # fixed texts
            return row[0] if row else None


@pytest.fixture(scope="module")
def vaults(platform: Platform) -> Vaults:
    return Vaults(platform)


def bring(platform: Platform, jane: httpx.Client, count: int = 1) -> list[tuple[str, str]]:
    """Made-up customers of Jane's: (number, subject)."""
    made = numbers(count)
    with signed_in(platform, "nancy") as nancy:
        nancy.post("/api/customers/imports", content=table(made)).raise_for_status()
    found = []
    for number in made:
        one = jane.post("/api/customers/search", json={"email": email(number)}).json()["items"][0]["id"]
        found.append((number, str(one)))
    return found


def place(column: str, subject: str) -> Place:
    return Place("customers", "customers", column, subject)


def test_each_person_has_a_key_of_their_own(platform: Platform, jane: httpx.Client, vaults: Vaults) -> None:
    people = [subject for _, subject in bring(platform, jane, 2)]
    keys = [vaults.key(one) for one in people]
    assert keys[0] is not None and keys[1] is not None
    assert keys[0].secret != keys[1].secret
    for n, subject in enumerate(people):
        mine, other = keys[n], keys[1 - n]
        assert mine is not None and other is not None
        for column, sealed in vaults.row(subject).items():
            assert open_(mine, place(column, subject), sealed)
            with pytest.raises(TamperError):
                open_(other, place(column, subject), sealed)


def test_a_value_moved_elsewhere_does_not_open(platform: Platform, jane: httpx.Client, vaults: Vaults) -> None:
    subject = bring(platform, jane)[0][1]
    key, row = vaults.key(subject), vaults.row(subject)
    assert key is not None
    with pytest.raises(TamperError):
        open_(key, place("city", subject), row["address"])
    with pytest.raises(TamperError):
        open_(key, place("city", f"sub_{'0' * 32}"), row["city"])


async def erase(platform: Platform, subject: str) -> str:
    """The command that dsar sends after two people agreed, sent with dsar's own rights."""
    request = new_id("req")
    command = Erase(request_id=request, subject=subject, holders=[*ANSWERING], approval_id=new_id("apr"))
    record = to_record(command, Actor.system("dsar"), datetime.now(UTC), new_event_id())
    producer = Insider(platform.state, "dsar").producer()
    await producer.start()
    try:
        await producer.send_and_wait(record.topic, record.value, key=record.key, headers=list(record.headers))
    finally:
        await producer.stop()
    return request


async def test_the_shred_reaches_everywhere(platform: Platform, jane: httpx.Client, vaults: Vaults) -> None:
    (number, subject), (_, neighbour) = bring(platform, jane, 2)
    path = f"/api/customers/{subject}"
    etag = jane.get(path).raise_for_status().headers["etag"]  # and now its key is in the service's memory
    request = await erase(platform, subject)
    wait_until(lambda: vaults.one("SELECT erased_at FROM customers WHERE id = %s", subject))

    # The key is gone, from the disk and from memory, and none is made again.
    assert vaults.key(subject) is None
    assert vaults.one("SELECT subject FROM data_keys WHERE shredded_at IS NOT NULL AND subject = %s", subject) == subject
    assert jane.get(path).status_code == 404
    assert jane.patch(path, json={"fields": {"city": "X"}}, headers={"If-Match": etag}).status_code == 404
    # What finds the person is gone too.
    assert vaults.row(subject) == {}
    assert vaults.one("SELECT count(*) FROM customer_locators WHERE customer_id = %s", subject) == 0
    assert vaults.one("SELECT email_index FROM customers WHERE id = %s", subject) is None
    assert jane.post("/api/customers/search", json={"email": email(number)}).json()["items"] == []
    # The neighbour is untouched.
    assert jane.get(f"/api/customers/{neighbour}").status_code == 200
    assert vaults.key(neighbour) is not None

    # The topic keeps the ciphertext for ever, and there is nothing left in any keyring that opens it.
    def answered() -> bool:
        return bool(vaults.one("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL AND key = %s", request))

    wait_until(answered)
    events = [one for one in await whole(platform.state, "kept.customers") if one.envelope.subject == subject]
    created = next(one.envelope for one in events if one.envelope.type == "kept.customers.customer.created.v1")
    assert created.data["fields"]["email"] and email(number) not in str(created.data)
    shredded = [one.envelope for one in events if one.envelope.type == "kept.customers.subject.shredded.v1"]
    assert [one.data["request_id"] for one in shredded] == [request]
    answer = [
        one.envelope
        for one in await whole(platform.state, "kept.dsar.answers.customers")
        if one.envelope.data.get("request_id") == request
    ]
    mine = next(one for one in answer if one.type == "kept.customers.answer.erased.v2")
    assert mine.data["fields"] == len(SEALED) - 1, "every field that was held (no state)"
    assert f"subject {subject}" in mine.data["note"]


async def test_the_key_is_gone_from_memory_too(platform: Platform, jane: httpx.Client, vaults: Vaults) -> None:
    """Somebody with the database's rights puts the ciphertext back, as it was: the service that had just used the key shows
    nothing all the same."""
    number, subject = bring(platform, jane)[0]
    path = f"/api/customers/{subject}"
    everything = ", ".join(("owner_id", "email_index", *SEALED))
    with vaults.insider.connect("customers") as connection:
        before = connection.execute(f"SELECT {everything} FROM customers WHERE id = %s", (subject,)).fetchone()  # type: ignore[call-overload]  # fixed names
    assert jane.get(path).status_code == 200  # in memory now
    await erase(platform, subject)
    wait_until(lambda: vaults.one("SELECT erased_at FROM customers WHERE id = %s", subject))
    back = ", ".join(f"{name} = %s" for name in everything.split(", "))
    with vaults.insider.connect("customers") as connection:
        connection.execute(f"UPDATE customers SET erased_at = NULL, {back} WHERE id = %s", (*before, subject))  # type: ignore[misc, call-overload]  # fixed names
        connection.commit()
        try:
            shown = jane.get(path)
        finally:
            gone = ", ".join(f"{name} = NULL" for name in everything.split(", "))
            connection.execute(f"UPDATE customers SET erased_at = now(), {gone} WHERE id = %s", (subject,))  # type: ignore[call-overload]  # fixed names
            connection.commit()
    assert shown.status_code >= 400, "an erased person's key still opens"
    assert email(number) not in shown.text


async def test_every_holders_key_goes(platform: Platform, jane: httpx.Client) -> None:
    """Audit has a key of its own for what foreign services say of a person: the one command destroys it as well."""
    subject = bring(platform, jane)[0][1]
    headers = [("ce_id", new_event_id().encode()), ("ce_type", b"billing.note.made.v1"), ("ce_subject", subject.encode())]
    async with Insider(platform.state, "billing").producer() as producer:
        await producer.send_and_wait("billing.events", b"a note", headers=headers)

    def keyed() -> list[str]:
        return [one for one in SERVICES if in_keyring(platform, one, "wrapped", subject)]

    wait_until(lambda: keyed() == ["customers", "audit"])
    request = await erase(platform, subject)
    for holder in ("customers", "audit"):
        kind = f"kept.{holder}.answer.erased.v2"
        await told(platform.state, kind, answers_topic(holder), lambda e: e.data["request_id"] == request)
    assert keyed() == [], "a holder says that it erased, and keeps its key"
    for holder in ("customers", "audit"):
        assert in_keyring(platform, holder, "shredded_at", subject), f"{holder} would make a new key"


def in_keyring(platform: Platform, service: str, column: str, subject: str) -> bool:
    with Insider(platform.state, service).connect(service) as connection:
        found = connection.execute(
            f"SELECT 1 FROM data_keys WHERE {column} IS NOT NULL AND subject = %s", (subject,)
        ).fetchone()  # type: ignore[call-overload]  # fixed names
    return found is not None


async def test_asked_twice_it_answers_twice_and_does_no_harm(platform: Platform, jane: httpx.Client, vaults: Vaults) -> None:
    subject = bring(platform, jane)[0][1]
    first = await erase(platform, subject)
    at = wait_until(lambda: vaults.one("SELECT erased_at FROM customers WHERE id = %s", subject))
    second = await erase(platform, subject)
    for request in (first, second):
        wait_until(lambda request=request: vaults.one("SELECT count(*) FROM outbox WHERE key = %s", request))  # type: ignore[misc]
    assert vaults.one("SELECT erased_at FROM customers WHERE id = %s", subject) == at
