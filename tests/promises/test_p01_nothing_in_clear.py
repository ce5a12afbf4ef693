"""P1. Nothing personal in clear outside the process that owns it: every file under the state directory is searched, and
every answer that refuses, every span and every metric."""

import os
from pathlib import Path

import httpx
import pytest

from deploy.local.catalog import SERVICES
from tests.support import backups
from tests.support.insider import wait_until
from tests.support.made_up import HEADER
from tests.support.people import customers, personal_values, staff_values
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.scan import scan
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform


TYPED = "somebody.nobody.knows@example.org"  # at the portal, by a person of whom nothing is held
HEADING = "heading.nobody.knows@example.org"  # of a column: a list that was turned on its side, a note in the first row
VALUES = personal_values() | staff_values() | {"typed at the portal": TYPED, "heading of a column": HEADING}


@pytest.fixture(scope="module")
def answers(platform: Platform) -> list[httpx.Response]:
    """Everything is used once, also wrongly, with real values. What was refused is returned: errors are read by many."""
    luis, origin = customers()[0], {"Origin": platform.origin}
    bad = "\n".join([",".join(luis), ",".join(f'"{value}"' for value in (luis | {"Email": luis["Address"]}).values())])
    with signed_in(platform, "jane") as jane, signed_in(platform, "nancy") as nancy:
        assert jane.get("/api/customers").raise_for_status().json()
        found = jane.post("/api/customers/search", json={"email": luis["Email"]}).raise_for_status().json()
        jane.post("/api/customers/search", json={"phone": luis["Phone"]}).raise_for_status()
        jane.post("/customers", data={"q": luis["Email"]}, headers=origin).raise_for_status()
        jane.get("/account").raise_for_status()
        path = f"/api/customers/{found['items'][0]['id']}"
        for purpose, field, value in (
            ("contact", "email", f"x.{luis['Email']}"),
            ("contact", "email", luis["Email"]),
            ("delivery", "address", luis["Address"]),
        ):
            head = {"If-Match": jane.get(path).headers["etag"], "X-Purpose": purpose}
            jane.patch(path, json={"fields": {field: value}}, headers=head).raise_for_status()
        headings = ",".join((*HEADER, HEADING)).encode()
        for shown in (
            HEADING,
            f"column {len(HEADER) + 1}",
        ):  # whoever sent it is told; what is kept for the next time names places
            sent = nancy.post("/api/customers/imports", content=headings, headers={"Idempotency-Key": "p1-" + "h" * 20})
            assert sent.raise_for_status().json()["refused_columns"][-1] == shown
        guess = {"email": staff_values()["employee 2 Email"], "password": luis["Address"], "code": "000000"}
        refused = [
            jane.patch(path, json={"fields": {"email": luis["Address"]}}, headers={"If-Match": '"1"'}),
            jane.patch(path, json={"fields": {luis["Email"]: "x"}}, headers={"If-Match": jane.get(path).headers["etag"]}),
            jane.post("/api/customers/search", json={"email": luis["Phone"]}),
            jane.get(f"/api/customers/{luis['Email']}"),  # a careless program puts a value where an id belongs
            jane.get("/api/customers", params={"cursor": luis["Email"]}),
            nancy.post("/api/customers/imports", content=bad.encode()),
            httpx.post(f"{platform.origin}/api/identity/sessions", json=guess, timeout=30),
            httpx.post(f"{platform.origin}/api/identity/sessions", json={"email": guess["email"]}, timeout=30),
        ]
    for right, email in (("access", customers()[1]["Email"]), ("access", TYPED), ("erasure", customers()[2]["Email"])):
        person = Person(platform.origin, email)
        person.ask(right)
        person.prove()
        if right == "access":
            person.until("Download my data" if email != TYPED else "None of these systems found a record")
    backups.take(signed_in(platform, "michael"))
    return refused


def test_nobody_is_readable_on_disk(platform: Platform, answers: list[httpx.Response]) -> None:
    """Tables, WAL, Kafka, log, backups and service logs hold no e-mail address, phone number, street or last name of anybody,
    in any encoding."""
    assert seen_in(platform.state.root) == []


def test_no_refusal_repeats_what_was_sent(answers: list[httpx.Response], tmp_path: Path) -> None:
    for number, answer in enumerate(answers):
        assert 400 <= answer.status_code < 500, (number, answer.status_code)
        (tmp_path / f"{number} {answer.request.method}").write_bytes(answer.content)
    assert seen_in(tmp_path) == []


def test_no_span_and_no_metric_names_anybody(platform: Platform, answers: list[httpx.Response], tmp_path: Path) -> None:
    """What leaves for the people who operate it: traces as they arrive over OTLP, and every service's /metrics."""
    if "KEPT_TEST_STATE" not in os.environ:  # a borrowed platform sends its traces elsewhere
        wait_until(lambda: {one.service for one in platform.collector.spans()} >= {"identity", "customers", "dsar"})
    for number, body in enumerate(list(platform.collector.bodies)):
        (tmp_path / f"spans {number}").write_bytes(body)
    for service in SERVICES:
        answer = httpx.get(f"http://127.0.0.1:{platform.ports[service]}/metrics", timeout=30).raise_for_status()
        (tmp_path / f"metrics of {service}").write_bytes(answer.content)
    assert seen_in(tmp_path) == []


def seen_in(root: Path) -> list[str]:
    """Where somebody can be read: file, place, whose value, how it was spelled. Never the value."""
    return [f"{hit.path} {hit.where}: {hit.label} as {hit.encoding}" for hit in scan(root, VALUES)][:20]


def test_the_search_would_find_one(platform: Platform, tmp_path: Path) -> None:
    """The control: one address planted in the middle of a real segment of the running broker's files is found."""
    segment = max((platform.state.root / "kafka").rglob("*.log"), key=lambda path: path.stat().st_size)
    raw = segment.read_bytes()
    planted = personal_values()["customer 1 Email"].encode("utf-16-le")
    (tmp_path / segment.name).write_bytes(raw[: len(raw) // 2] + planted + raw[len(raw) // 2 :])
    assert {hit.label for hit in scan(tmp_path, personal_values())} == {"customer 1 Email"}
