"""Text from all of Unicode, typed into the portal's form, brought in a file, sent on the bus. Each is taken, or refused in
words; every service is up after it; and whatever we said happened."""

import asyncio
import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.ids import new_event_id
from shared.values.mailbox import mailbox
from tests.fuzz.conftest import Bound, bounded, clear
from tests.platform.test_bad_records import buried
from tests.support import logbook
from tests.support.insider import Insider, wait_until
from tests.support.made_up import JANE, numbers
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.staff import signed_in
from tests.support.strategies import ANY, LETTERS, country_like, json_like, mailbox_like, name_like, phone_like

pytestmark = [pytest.mark.platform, pytest.mark.filterwarnings("ignore:Generating overly large repr")]
Check = Callable[[], None]
HEADER = ["CustomerId", "FirstName", "LastName", "City", "Country", "Phone", "Email", "SupportRepId"]
DOMAINS = ["t.example", "Example.ORG", "münchen.de", "例子。中国", "xn--mnchen-3ya.de"]
MANY = 8  # in one example: what follows from them is waited for together

sound = st.tuples(st.text(st.one_of(LETTERS, st.sampled_from("+-_.")), min_size=1, max_size=12), st.sampled_from(DOMAINS)).map(
    "@".join
)
typed = st.one_of(mailbox_like, mailbox_like, sound, sound, st.text(ANY, max_size=60))


asks = st.lists(st.tuples(typed, st.sampled_from(["access", "erasure"])), min_size=1, max_size=MANY)


@given(data=st.data())
@bounded
def _portal(platform: Platform, bound: Bound, stays_up: Check, data: st.DataObject) -> None:
    def example(texts: list[tuple[str, str]]) -> None:
        asked = {}
        for text, right in texts:
            person = Person(platform.origin, "")
            body = f"right={right}&email=".encode() + _percent(text)
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = person.http.post("/", content=body, headers=form)
            clear(answer)
            assert answer.status_code in (303, 400, 422), answer.status_code
            if answer.status_code == 303:
                request = re.fullmatch(r"/requests/(req_[0-9a-f]{32})", answer.headers["location"])
                assert request
                asked[request[1]] = str(mailbox(text))
            else:
                assert _refused(text), "a mailbox, and refused"
        stays_up()
        wait_until(lambda: set(asked) <= set(_mailed(platform)), seconds=120)
        mailed = _mailed(platform)
        assert {one: mailed[one] for one in asked} == {one: [to] for one, to in asked.items()}, "one mail, to who asked"

    bound(data.draw, asks, example)


def test_the_portal(platform: Platform, bound: Bound, stays_up: Check) -> None:
    """Who is let through gets exactly one mail, at exactly the mailbox that was typed; nobody else gets any."""
    bound.run(lambda: _portal(platform, bound, stays_up))


def _percent(text: str) -> bytes:
    return "".join(f"%{one:02X}" for one in text.encode("utf-8", "surrogatepass")).encode()


def _refused(text: str) -> bool:
    try:
        mailbox(text)
    except InvalidInputError:
        return True
    return False


def _mailed(platform: Platform) -> dict[str, list[str]]:
    """Whom the mails of each request went to, in the box's memory of the newest two hundred."""
    found: dict[str, list[str]] = {}
    for mail in Person(platform.origin, "").http.get("/mail.json").raise_for_status().json():
        for request in set(re.findall(r"req_[0-9a-f]{32}", mail["text"])):
            found.setdefault(request, []).append(mail["to"])
    return found


rows = st.lists(st.tuples(name_like, name_like, name_like, country_like, phone_like, mailbox_like), min_size=1, max_size=3)
ways = st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252", "gb18030"])


@given(data=st.data())
@bounded
def _import(platform: Platform, bound: Bound, stays_up: Check, data: st.DataObject) -> None:
    def example(file: Any) -> None:
        people, encoding, separator = file
        out = io.StringIO(newline="")
        writing = csv.writer(out, delimiter=separator)
        writing.writerow(HEADER)
        writing.writerows([number, *one, JANE] for number, one in zip(numbers(len(people)), people, strict=True))
        lossless = encoding.startswith("utf-")
        content = out.getvalue().encode(encoding, "surrogatepass" if lossless else "replace")
        before = _customers(platform)
        with signed_in(platform, "nancy") as nancy:
            nancy.timeout = 60
            answer = nancy.post("/api/customers/imports", content=content, headers={"Content-Type": "text/csv"})
            clear(answer)
            new = _customers(platform) - before
            assert answer.status_code in (201, 400, 413, 422), answer.status_code
            assert len(new) == (answer.json()["created"] if answer.status_code == 201 else 0), "said, and did not happen"
            if answer.status_code == 201:
                assert answer.json()["created"] == len(people)
            for *_, email in people if answer.status_code == 201 and lossless else ():
                found = nancy.post("/api/customers/search", json={"email": email})
                clear(found)
                there = {one["id"] for one in found.json().get("items", [])}
                assert not email.strip() or there & new, "created, and not found by the address as it was typed"
            for *_, email in people:
                clear(nancy.post("/api/customers/search", json={"email": email}))
        stays_up()

    bound(data.draw, st.tuples(rows, ways, st.sampled_from(",,;\t")), example)


def test_the_import(platform: Platform, bound: Bound, stays_up: Check) -> None:
    """So many created, so many rows more, each found by its address as it stands in the file; or none at all."""
    bound.run(lambda: _import(platform, bound, stays_up))


def _customers(platform: Platform) -> set[str]:
    with Insider(platform.state, "customers").connect("customers") as connection:
        return {str(one[0]) for one in connection.execute("SELECT id FROM customers").fetchall()}


# Whose topic, and a service of ours whose handlers read it.
TOPICS = {
    "billing.events": ("billing", ""),
    "kept.dsar.answers.billing": ("billing", ""),
    "kept.identity": ("identity", "customers"),
    "kept.dsar": ("dsar", "identity"),
    "kept.dsar.commands": ("dsar", "customers"),
}
TYPES = [
    "kept.identity.user.created.v1", "kept.dsar.erasure.requested.v1", "kept.dsar.command.locate.v1",
    "kept.dsar.command.erase.v1", "kept.billing.answer.erased.v2", "billing.invoice.made.v1",
]  # fmt: skip


def spelled(said: object) -> bytes:
    return json.dumps(said).encode()


ENVELOPE = {
    "ce_specversion": b"1.0", "ce_source": b"/fuzz", "ce_time": b"2026-11-28T03:04:05Z", "ce_actor": b"system:fuzz",
    "content-type": b"application/json",
}  # fmt: skip
text = st.text(ANY, max_size=40).map(lambda said: said.encode("utf-8", "surrogatepass"))
header = st.tuples(
    st.sampled_from(
        ["ce_id", "ce_type", "ce_subject", "ce_actor", "ce_time", "ce_source", "keptlocator", "ce_keptlocator", "x"]
    ),
    st.one_of(text, st.none(), st.binary(max_size=20)),
)
body = st.one_of(
    st.none(),
    st.binary(max_size=200),
    text,
    json_like.map(spelled),
    st.dictionaries(
        st.sampled_from(["request_id", "subject", "locators", "holders", "holder", "subjects", "note", "fields", "roles"]),
        json_like,
    ).map(spelled),
)
record = st.tuples(
    st.sampled_from(sorted(TOPICS)), st.sampled_from(TYPES), st.lists(header, max_size=4), body, st.one_of(st.none(), text)
)


records = st.lists(record, min_size=1, max_size=MANY * 2)


@given(data=st.data())
@bounded
def _bus(platform: Platform, bound: Bound, stays_up: Check, data: st.DataObject, loop: asyncio.Runner, writers: Any) -> None:
    def example(some: Any) -> None:
        loop.run(_sent(platform, writers, some))
        stays_up()

    bound(data.draw, records, example)


async def _sent(platform: Platform, writers: dict[str, AIOKafkaProducer], some: Any) -> None:
    placed: dict[str, set[int]] = {}
    last: dict[str, set[str]] = {}

    async def send(topic: str, headers: list[tuple[str, bytes | None]], value: bytes | None, key: bytes | None) -> str:
        at = await writers[TOPICS[topic][0]].send_and_wait(topic, value, key, headers=headers)
        placed.setdefault(f"{topic}/{at.partition}", set()).add(at.offset)
        return f"{topic}/{at.partition}/{at.offset}"

    for topic, kind, odd, value, key in some:
        good = ENVELOPE | {"ce_id": new_event_id().encode(), "ce_type": kind.encode()}
        await send(topic, list((good | dict(odd)).items()), value, key if value is not None else b"k")
        if reader := TOPICS[topic][1]:  # behind it, one that is surely a dead letter: who buries it has got past the other
            last.setdefault(reader, set()).add(await send(topic, [], b"{", key))
    for reader, origins in last.items():
        await buried(platform, reader, origins)
    for shard, offsets in placed.items():
        wait_until(lambda shard=shard, most=max(offsets): logbook.size(platform.origin, shard) > most)  # type: ignore[misc]
        there = {entry.place.offset for entry in logbook.entries(platform.origin, shard)}
        assert offsets <= there, f"{shard}: taken by the broker, and in no log"


async def _started(platform: Platform) -> dict[str, AIOKafkaProducer]:
    writers = {who: Insider(platform.state, who).producer() for who in {one for one, _ in TOPICS.values()}}
    for one in writers.values():
        await one.start()
    return writers


def test_the_bus(platform: Platform, bound: Bound, stays_up: Check) -> None:
    """What the broker took is a leaf of the log, whatever it is, and every reader gets past it."""
    with asyncio.Runner() as loop:
        writers = loop.run(_started(platform))
        try:
            bound.run(lambda: _bus(platform, bound, stays_up, loop=loop, writers=writers))
        finally:
            for one in writers.values():
                loop.run(one.stop())
