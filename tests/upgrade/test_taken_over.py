"""What a released version left is taken over by today's `kept up`: everybody is readable, findable and whose they were, the
forgotten stay forgotten, the log goes on, old proofs and backups hold, and what was under way goes on to its end.

The installation: installation/README.md. Each test asks one question of the same started platform, in this order.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local import control
from deploy.local.state import REPOSITORY, State
from tests.support import backups, logbook
from tests.support.insider import Insider, wait_until
from tests.support.people import customers
from tests.support.platform import CHINOOK, Platform, free_port
from tests.support.portal import Person, opened
from tests.support.staff import approve, signed_in
from tests.upgrade.installation import DATABASES, notes, put

pytestmark = pytest.mark.platform
REPRESENTATIVES = {"3": "jane", "4": "margaret", "5": "steve"}
CHANGED = {"michelleb@aol.com": "Yonkers"}  # corrected then, and not yet on the bus
CONTACT = {"X-Purpose": "contact"}
COOKIES_OF = "localhost.local"  # as the standard library files what `localhost` sets


class Taken(Platform):
    """The installation, with today's code."""

    def kept(self, *words: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=900,
            env={**os.environ, "KEPT_STATE": str(self.state.root), "KEPT_PORT": str(self.ports["gateway"])},
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done

    def person(self, name: str) -> Person:
        """The browser in which a request was made then."""
        kept = notes()["requests"][name]
        person = Person(self.origin, kept["email"], request_id=kept["id"])
        for cookie, value in kept["cookies"].items():
            person.http.cookies.set(cookie, value, domain=COOKIES_OF)
        return person


@pytest.fixture(scope="module")
def taken() -> Iterator[Taken]:
    root = Path(tempfile.mkdtemp(prefix="kept-then-")).resolve()
    root.chmod(0o711)
    platform = Taken(State(root))
    try:
        asyncio.run(put(platform.state))
        known = json.loads((root / "ports.json").read_text())
        (root / "ports.json").write_text(json.dumps(known | {"gateway": free_port()}))
        done = platform.kept("up")
        assert done.returncode == 0, done.stdout + done.stderr
        yield platform
    finally:
        control.stop(platform.state)
        shutil.rmtree(root, ignore_errors=True)


def seen_by(taken: Taken, name: str) -> dict[str, dict[str, Any]]:
    with signed_in(taken, name) as http:
        answer = http.get("/api/customers", params={"limit": 200})
    return {one["id"]: one for one in answer.json()["items"]} if answer.status_code == httpx.codes.OK else {}


def found_by(http: httpx.Client, email: str) -> list[str]:
    return [one["id"] for one in http.post("/api/customers/search", json={"email": email}).raise_for_status().json()["items"]]


def test_everybody_is_readable_and_whose_they_were(taken: Taken) -> None:
    theirs = {name: set(seen_by(taken, name)) for name in ("jane", "margaret", "steve", "robert")}
    assert theirs == {name: set(ids) for name, ids in notes()["owned"].items()} | {"robert": set()}
    assert len(theirs["jane"]) == 20
    everybody = seen_by(taken, "nancy")
    assert set(everybody) == set().union(*theirs.values())
    for row in customers():
        if (one := everybody.get(notes()["addresses"].get(row["Email"], ""))) is not None:
            fields = {name: value["value"] for name, value in one["fields"].items() if value["level"] == "clear"}
            known = (row["FirstName"], row["LastName"], CHANGED.get(row["Email"], row["City"].strip()))
            assert (fields["first_name"], fields["last_name"], fields["city"]) == known
            assert one["id"] in theirs[REPRESENTATIVES[row["SupportRepId"]]]


def test_everybody_is_found_by_their_address_and_the_forgotten_are_not(taken: Taken) -> None:
    with signed_in(taken, "nancy") as nancy:
        found = {row["Email"]: found_by(nancy, row["Email"]) for row in customers()}
    assert {email: ids for email, ids in found.items() if ids} == {k: [v] for k, v in notes()["addresses"].items()}
    assert [email for email, ids in found.items() if not ids] == ["luisg@embraer.com.br", "kachase@hotmail.com"]


def test_an_old_file_brings_nobody_back_and_a_new_one_somebody(taken: Taken) -> None:
    before = set(seen_by(taken, "nancy"))
    old = (CHINOOK / "customer.csv").read_bytes()
    new = old.splitlines(keepends=True)[0] + b"60,Ada,Newcomer,,Street 1,Cork,,Ireland,,+353 21 4960000,,ada@example.com,3\n"
    with signed_in(taken, "nancy") as nancy:

        def taken_in(content: bytes) -> dict[str, Any]:
            answer = nancy.post("/api/customers/imports", content=content, headers={"Content-Type": "text/csv"}, timeout=60)
            return dict(answer.raise_for_status().json())

        again, added = taken_in(old), taken_in(new)
    assert (again["created"], again["forgotten"], again["already_there"]) == (0, 2, 57)
    assert added["created"] == 1
    after = set(seen_by(taken, "nancy"))
    (ada,) = after - before
    assert before <= after and ada in seen_by(taken, "jane")


def test_a_record_of_then_is_corrected_now(taken: Taken) -> None:
    with signed_in(taken, "jane") as jane:
        (one,) = jane.post("/api/customers/search", json={"email": "michelleb@aol.com"}).json()["items"]
        change = {"fields": {"phone": "+1 212 555 0123"}}
        answer = jane.patch(f"/api/customers/{one['id']}", json=change, headers=CONTACT | {"If-Match": f'"{one["version"]}"'})
        assert answer.status_code == httpx.codes.OK, answer.text
        fields = jane.get(f"/api/customers/{one['id']}", headers=CONTACT).json()["fields"]
    assert fields["phone"]["value"] == "+1 212 555 0123"


def test_who_was_signed_in_is_so_for_that_tokens_time_alone(taken: Taken) -> None:
    old = datetime.now(UTC) - datetime.fromisoformat(notes()["taken"])
    answer = httpx.get(f"{taken.origin}/api/customers", headers={"Authorization": f"Bearer {notes()['token']}"})
    assert answer.status_code == (httpx.codes.OK if old.total_seconds() < 3000 else httpx.codes.UNAUTHORIZED)


def test_the_log_verifies_whole_and_goes_on_with_what_the_bus_had_not_got(taken: Taken) -> None:
    def sent() -> bool:
        shards = httpx.get(f"{taken.origin}/log/shards").text.split()
        mine = (shard for shard in shards if shard.startswith("kept.customers/"))
        return any(notes()["unsent"].encode() in dict(one.headers).get("ce_id", b"") for s in mine for one in entries(taken, s))

    wait_until(sent)
    done = taken.kept("audit", "verify", "--json")
    assert done.returncode == 0, done.stdout
    sizes = {one["shard"]: one["size"] for one in json.loads(done.stdout)["shards"]}
    assert not any("~" in shard for shard in sizes), "the same topics, none begun anew"
    assert sum(sizes.values()) > 620


def entries(taken: Taken, shard: str) -> Iterator[Any]:
    return logbook.entries(taken.origin, shard)


def test_the_certificate_of_then_verifies(taken: Taken) -> None:
    (certificate,) = (taken.state.root / "certificates").iterdir()
    done = taken.kept("dsar", "check", str(certificate), "--log-url", f"{taken.origin}/log")
    assert done.returncode == 0 and "PROVEN" in done.stdout, done.stdout + done.stderr


def test_the_trail_of_then_is_searched(taken: Taken) -> None:
    (certificate,) = (taken.state.root / "certificates").iterdir()
    types: set[str] = set()
    with signed_in(taken, "andrew") as andrew:
        for subject in set(re.findall(r"sub_[0-9a-f]{32}", certificate.read_text())):
            answer = andrew.get("/api/audit/events", params={"subject": subject, "limit": 200}).raise_for_status()
            types |= {one["type"] for one in answer.json()["items"]}
    assert {"kept.customers.customer.created.v1", "kept.customers.subject.shredded.v1"} <= types


def test_the_backup_of_then_restores_into_a_drill(taken: Taken) -> None:
    with signed_in(taken, "michael") as michael:
        drilled = backups.drill(michael, notes()["set"]["id"])
    assert drilled["state"] == "passed", [one for one in drilled["checks"] if not one["passed"]]
    erased, keys = re.findall(r"\d+", backups.check(drilled, "erased/customers")["says"])[:2]
    assert int(erased) >= 2 and int(keys) == 0, "two then; what was approved then may have been carried out since"
    assert "0 lost" in backups.check(drilled, "everyone/customers")["says"]


def test_what_was_under_way_goes_on_to_its_end(taken: Taken) -> None:
    ready = taken.person("ready")
    assert any("customers" in name for name in opened(ready.package()))
    asked = taken.person("asked")
    assert asked.http.post(f"/requests/{asked.request_id}/code/again").status_code == 303
    asked.prove()
    approve(taken, notes()["requests"]["to approve"]["id"], "nancy", "andrew")
    approve(taken, notes()["requests"]["approved once"]["id"], "andrew")
    asked.until("/package")
    taken.person("collecting").until("/package")
    erased = [taken.person(name) for name in ("approved", "to approve", "approved once")]
    for person in erased:
        person.until("/certificate")
        assert "erased" in person.certificate()
    with signed_in(taken, "nancy") as nancy:
        assert [found_by(nancy, person.email) for person in erased] == [[], [], []]


def test_the_dead_letter_of_then_is_listed(taken: Taken) -> None:
    done = taken.kept("dlq", "list", "customers", "--json")
    assert "malformed" in done.stdout, done.stdout + done.stderr


def test_a_second_start_is_quiet(taken: Taken) -> None:
    before, versions = set(seen_by(taken, "nancy")), revisions(taken)
    assert taken.kept("down").returncode == 0
    for file in taken.state.logs.iterdir():
        file.write_text("")
    done = taken.kept("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(seen_by(taken, "nancy")) == before and revisions(taken) == versions
    status = json.loads(taken.kept("status", "--json").stdout)
    assert status["ready"] and not [part["note"] for part in status["parts"] if part.get("note")]
    said = {file.name: file.read_text(errors="replace") for file in taken.state.logs.iterdir()}
    for name in DATABASES:
        assert not re.search(r"\b(WARNING|ERROR|Traceback)\b", said[f"{name}.log"]), said[f"{name}.log"][-2000:]


def revisions(taken: Taken) -> dict[str, list[Any]]:
    found = {}
    for name in DATABASES:
        with Insider(taken.state, name).connect(name) as database:
            found[name] = database.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
    return found
