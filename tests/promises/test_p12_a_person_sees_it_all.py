"""P12. A person can see it all: what is held, why, for how long, who looked, who received it; and can be forgotten."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pyrage import passphrase

from tests.support.insider import wait_until
from tests.support.pages import every
from tests.support.people import customers
from tests.support.platform import Platform
from tests.support.portal import Person, impersonal, opened
from tests.support.staff import approve, signed_in

pytestmark = pytest.mark.platform
HOLDERS = {"identity", "customers", "audit", "dsar", "billing"}
HELD = ("FirstName", "LastName", "Email", "Phone", "Address", "City", "State", "Country", "PostalCode")


@dataclass(frozen=True)
class Look:
    when: str
    who: str
    what: str
    purpose: str


def trail(platform: Platform, subject: str) -> set[Look]:
    """What the officers see of who looked at a person."""
    with signed_in(platform, "andrew") as officer:
        looks = every(officer, f"/api/audit/subjects/{subject}/looks")
    return {Look(one["time"], one["actor"], one["type"], one["purpose"]) for one in looks}


def found_by(client: httpx.Client, email: str, purpose: str) -> str:
    """The subject, by a look at exactly this person."""
    answer = client.post("/api/customers/search", json={"email": email}, headers={"X-Purpose": purpose})
    return str(answer.raise_for_status().json()["items"][0]["id"])


@pytest.fixture(scope="module")
def looked_at(platform: Platform) -> str:
    """Luís, once his sales agent looked at him and the log has it. Her manager looked at his neighbour, for another purpose."""
    with signed_in(platform, "nancy") as nancy:
        other = found_by(nancy, customers()[1]["Email"], "delivery")
    with signed_in(platform, "jane") as jane:
        subject = found_by(jane, customers()[0]["Email"], "support")
        jane.get("/api/customers", params={"limit": 100}).raise_for_status()
    for one, purpose in ((subject, "support"), (other, "delivery")):
        wait_until(lambda one=one, purpose=purpose: [look for look in trail(platform, one) if look.purpose == purpose])  # type: ignore[misc]
    return subject


@pytest.fixture(scope="module")
def luis(platform: Platform, looked_at: str) -> Iterator[Person]:
    """A customer of the demo's data, seen by his sales agent, who asked, proved the address, and has an answer."""
    person = Person(platform.origin, customers()[0]["Email"])
    person.ask("access")
    person.prove()
    person.until("Download my data")
    yield person
    person.http.post(f"/requests/{person.request_id}/close")


def test_the_package_says_what_why_how_long_and_who_looked(luis: Person) -> None:
    files = opened(luis.package())
    found = {name: content for name, content in files.items() if name.startswith("data/")}
    assert {name.removeprefix("data/").removesuffix(".json") for name in found} >= HOLDERS, "a holder is left out"
    said = {
        str(value) for one in found["data/customers.json"]["categories"] for row in one["records"] for value in row.values()
    }
    for column in HELD:
        assert customers()[0][column] in said, f"{column} is held and not said"
    for name in HOLDERS:
        for category in found[f"data/{name}.json"]["categories"]:
            assert category["purpose"] and category["basis"] and category["retention"], (name, category["name"])
    for category in found["data/customers.json"]["categories"]:
        if category["name"] != "Record":  # pseudonym and dates
            assert category["recipients"], f"who receives {category['name']} is not said"
    looks = [look for category in found["data/audit.json"]["categories"] for look in category["records"]]
    assert any("viewed" in look["what"] and look["purpose"] and look["who"].startswith("sub_") for look in looks), looks
    assert customers()[0]["Email"] in files["index.html"]


def test_who_looked_is_all_of_it_and_nobody_elses(platform: Platform, luis: Person, looked_at: str) -> None:
    """The looks in the package are those of the officers' trail: none is left out, and none at another person is in it."""
    (told,) = opened(luis.package())["data/audit.json"]["categories"]
    said = {Look(one["when"], one["who"], one["what"], one["purpose"]) for one in told["records"]}
    known = trail(platform, looked_at)
    assert said <= known, "a look at somebody else is shown to him"
    # While holders answered, dsar's own reading may have reached the log or not: it alone may come after.
    assert {look for look in known - said if look.when <= max(one.when for one in said)} == set(), "a look is left out"
    assert {look.purpose for look in known - said} <= {"data-subject request", "access"}, known - said


def test_the_package_can_be_locked_with_a_passphrase(luis: Person) -> None:
    assert "data/customers.json" in opened(passphrase.decrypt(luis.package(passphrase="open sesame"), "open sesame"))


def test_only_the_browser_that_proved_the_address_sees_it(luis: Person) -> None:
    stranger = Person(luis.origin, "stranger@example.org")
    stranger.request_id = luis.request_id
    assert "Download my data" not in stranger.page()
    assert stranger.http.post(f"/requests/{luis.request_id}/package").status_code == 404


def test_an_address_nobody_holds_gets_the_same_page_and_an_honest_answer(platform: Platform) -> None:
    known, unknown = Person(platform.origin, customers()[1]["Email"]), Person(platform.origin, "nobody@example.org")
    answers = [one.ask("access") for one in (known, unknown)]
    assert answers[0].status_code == answers[1].status_code == 303
    pages = [impersonal(one.page(), one.request_id) for one in (known, unknown)]
    assert pages[0] == pages[1], "before the code, the page must not tell who is known"
    unknown.prove()
    unknown.until("None of these systems found a record")
    assert {name for name in opened(unknown.package()) if name.startswith("data/")}


def test_a_code_is_good_once_and_five_wrong_ones_end_it(platform: Platform) -> None:
    person = Person(platform.origin, "tries@example.org")
    person.ask("access")
    used = Person(platform.origin, "once@example.org")
    used.ask("access")
    assert "code.wrong" not in used.prove().headers["location"]
    used.http.cookies.clear()  # somebody else's browser, who read the mail later
    assert "code.wrong" in used.prove().headers["location"], "a used code opened the answer again"

    code = person.code()
    wrong = re.sub(r"^\d", lambda digit: str((int(digit[0]) + 1) % 10), code)
    for _ in range(5):
        answer = person.http.post(f"/requests/{person.request_id}/code", data={"code": wrong})
        assert "code.wrong" in answer.headers["location"]
    answer = person.http.post(f"/requests/{person.request_id}/code", data={"code": code})
    assert "code.wrong" in answer.headers["location"], "the right code after five wrong ones is dead too"


def test_whoever_asks_to_be_forgotten_gets_a_certificate_that_proves_it(platform: Platform, tmp_path: Path) -> None:
    person = Person(platform.origin, customers()[4]["Email"])
    person.ask("erasure")
    person.prove()
    person.until("it waits for two people to decide")
    approve(platform, person.request_id, "nancy", "andrew")
    person.until("Download the certificate")
    file = tmp_path / "certificate"
    file.write_text(person.certificate(), encoding="utf-8")
    kept = [sys.executable, "-m", "deploy.cli", "dsar", "check", str(file), "--log-url", f"{platform.origin}/log"]
    good = subprocess.run(kept, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    for holder in HOLDERS:
        assert holder in good.stdout
    file.write_text(file.read_text(encoding="utf-8").replace("identity", "identitz", 1), encoding="utf-8")
    assert subprocess.run(kept, capture_output=True, text=True, check=False).returncode == 1
    again = Person(platform.origin, person.email)
    again.ask("access")
    again.prove()
    again.until("None of these systems found a record")
