"""A person is not a record: what shares an address is claimed, and what is not covered is named wherever something is said."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.made_up import SHARED_PHONE, email, family, numbers, table
from tests.support.platform import Platform
from tests.support.portal import Person, link, opened, wait_for
from tests.support.staff import approve, signed_in

pytestmark = pytest.mark.platform


def readable(platform: Platform, address: str) -> str:
    """What their agent reads under the address, as JSON."""
    with signed_in(platform, "jane") as jane:
        found = jane.post("/api/customers/search", json={"email": address}, headers={"X-Purpose": "support"})
    return json.dumps(found.raise_for_status().json()["items"])


def asking(platform: Platform, address: str, right: str) -> Person:
    person = Person(platform.origin, address)
    person.ask(right)
    person.prove()
    person.until("This address leads to 2 records")
    return person


def checked(person: Person, folder: Path) -> str:
    """What `kept dsar check` proves of the certificate."""
    file = folder / "certificate"
    file.write_text(person.certificate(), encoding="utf-8")
    kept = [sys.executable, "-m", "deploy.cli", "dsar", "check", str(file), "--log-url", f"{person.origin}/log"]
    done = subprocess.run(kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_same_person_twice_is_erased_twice_where_both_records_are_named(platform: Platform, tmp_path: Path) -> None:
    """cases/05: before, the second record stayed readable, and everything said that the person was forgotten."""
    address, one, two = family(platform)
    person = asking(platform, address, "erasure")
    assert one not in person.page() and two not in person.page(), "nothing is told of a record that was not named"
    assert person.say(one) == "narrow.added"
    page = person.page()
    assert f"the record with the number {one}" in page and "How many: 1" in page and "Go on with these records" in page
    assert person.say(one) == "narrow.again"
    assert person.say(two) == "narrow.added"
    person.until("it waits for two people to decide")
    approve(platform, person.request_id, "nancy", "andrew")
    page = person.until("Download the certificate")
    assert page.count("Covered:") == 2 and "We know of no other record" in page
    assert readable(platform, address) == "[]"
    proven = checked(person, tmp_path)
    assert "covers 2 records" in proven and "not covered: 0 other" in proven
    mail = person.mail("is done")
    assert one in mail and two in mail and "We know of no other record" in mail


def test_what_is_not_named_stays_and_page_mail_and_certificate_say_so(platform: Platform, tmp_path: Path) -> None:
    address, one, two = family(platform)
    person = asking(platform, address, "erasure")
    assert person.say(one) == "narrow.added"
    person.go_on()
    person.until("it waits for two people to decide")
    person.go_on()  # a second click
    assert person.say(two) == "", "what two people decide on is what was named before"
    approve(platform, person.request_id, "nancy", "andrew")
    page = person.until("Download the certificate")
    assert "Not covered: other records that share this address. How many: 1." in page
    proven = checked(person, tmp_path)
    assert "covers 1 record:" in proven and "not covered: 1 other" in proven
    mail = person.mail("is done")
    assert "How many: 1. They stay as they are." in mail and one in mail and two not in mail
    still = readable(platform, address)
    assert f"Zyxwv{two}" in still and f"Zyxwv{one}" not in still, "the other one is there, as the texts say"
    for said in (page, mail, proven):
        assert "forgotten" not in said

    # The mail is the only way left: no code can come any more. Its link opens everything on another device.
    person.until("Its key is destroyed")
    elsewhere = httpx.Client(follow_redirects=True)
    opened_page = elsewhere.get(link(mail))
    assert "How many: 1" in opened_page.text and str(opened_page.url).endswith(person.request_id)
    assert elsewhere.get(f"{platform.origin}/requests/{person.request_id}/certificate").text == person.certificate()
    assert "Download the certificate" in person.page(), "and the first device stays where it is"


def test_a_record_that_came_while_two_people_decided_is_counted(platform: Platform, tmp_path: Path) -> None:
    (one, late) = numbers(2)
    with signed_in(platform, "nancy") as nancy:
        nancy.post("/api/customers/imports", content=table([one])).raise_for_status()
        person = Person(platform.origin, email(one))
        person.ask("erasure")
        person.prove()
        person.until("it waits for two people to decide")
        again = table([late]).replace(email(late).encode(), email(one).encode())
        nancy.post("/api/customers/imports", content=again).raise_for_status()
    approve(platform, person.request_id, "nancy", "andrew")
    assert "How many: 1" in person.until("Download the certificate")
    assert "not covered: 1 other" in checked(person, tmp_path)
    still = readable(platform, email(one))
    assert f"Zyxwv{late}" in still and f"Zyxwv{one}" not in still


def test_an_answer_says_which_records_are_in_it(platform: Platform) -> None:
    address, one, two = family(platform)
    person = asking(platform, address, "access")
    for wrong in ("12345", "Zyxwv"):
        assert person.say(wrong) == "narrow.wrong"
    assert person.say(SHARED_PHONE) == "narrow.shared", "what stands on both tells nobody apart, and is no wrong try either"
    assert "Write to" in person.page() and person.request_id in person.page()
    assert person.say(f" {two} ") == "narrow.added"
    assert "Download my data" not in person.page(), "the person says first whether these are all"
    person.go_on()
    page = person.until("Download my data")
    assert "How many: 1" in page
    files = opened(person.package())
    assert f"Zyxwv{two}" in json.dumps(files) and f"Zyxwv{one}" not in json.dumps(files)
    assert files["request.json"]["left_out"] == 1 and len(files["request.json"]["covered"]) == 1
    assert "How many: 1" in files["index.html"] and two in files["index.html"]
    assert "How many: 1" in person.mail("is ready")
    person.http.post(f"/requests/{person.request_id}/close")
    assert "This request is closed" in person.page() and "How many: 1" in person.page()
    assert "our copy of it is destroyed. For this request nothing was erased" in person.mail("is closed")


def test_both_records_come_in_one_answer(platform: Platform) -> None:
    address, one, two = family(platform)
    person = asking(platform, address, "access")
    assert (person.say(one), person.say(two)) == ("narrow.added", "narrow.added")
    page = person.until("Download my data")
    assert "We know of no other record" in page
    files = opened(person.package())
    assert f"Zyxwv{one}" in json.dumps(files) and f"Zyxwv{two}" in json.dumps(files)


def test_numbers_are_not_for_guessing(platform: Platform) -> None:
    address, one, _ = family(platform)
    person = asking(platform, address, "access")
    for n in range(5):
        person.say(str(n + 1))
    assert person.say(one) == "narrow.over", "too late"
    page = person.page()
    assert "oo many wrong numbers" in page and "Your request waits for it until" in page, "there is one way left, and a date"
    stranger = httpx.post(f"{platform.origin}/requests/{person.request_id}/person", data={"number": one})
    assert stranger.status_code == 404
    person.http.post(f"/requests/{person.request_id}/close")
    another = Person(platform.origin, address)
    another.ask("erasure")
    another.prove()
    assert "Your request waits for it until" in another.until("oo many wrong numbers"), (
        "the address has its tries, not a request"
    )
    assert another.say(one) == "narrow.over"


def test_who_knows_no_number_has_two_people_who_decide_on_evidence(platform: Platform) -> None:
    """A shared telephone is no dead end: the person writes, and two at the desk say which record it is."""
    address, one, two = family(platform)
    person = asking(platform, address, "access")
    assert person.say(SHARED_PHONE) == "narrow.shared"
    with signed_in(platform, "jane") as jane:
        found = jane.post("/api/customers/search", json={"email": address}, headers={"X-Purpose": "support"}).json()["items"]
        mine = next(str(item["id"]) for item in found if f"Zyxwv{one}" in json.dumps(item))
        door = f"/desk/{person.request_id}"
        assert jane.post(f"{door}/records/{mine}", data={"evidence": "invoice"}).status_code == 403
    with signed_in(platform, "nancy") as nancy:
        assert mine in nancy.get(door).text and one not in nancy.get(door).text
        for _ in range(2):  # a second click of the same one decides nothing
            assert nancy.post(f"{door}/records/{mine}", data={"evidence": "invoice"}).status_code == 303
        assert nancy.post(f"{door}/records/sub_{'0' * 32}", data={"evidence": "invoice"}).status_code == 404
        assert nancy.post(f"{door}/records/{mine}", data={"evidence": "none"}).status_code == 422
    assert "Covered:" not in person.page()
    with signed_in(platform, "andrew") as andrew:
        assert "I have seen it too" in andrew.get(door).text
        andrew.post(f"{door}/records/{mine}", data={"evidence": "invoice"})
    assert "a record that two of us decided is yours" in person.page()
    assert person.request_id in person.mail("Two of us looked at what you showed")
    person.go_on()
    person.until("Download my data")
    everything = json.dumps(opened(person.package()))
    assert f"Zyxwv{one}" in everything and f"Zyxwv{two}" not in everything


def test_a_second_device_a_second_code_and_the_end_of_both(platform: Platform) -> None:
    """A code sent twice is one code; a second browser signs out nobody; the first may end it."""
    first = Person(platform.origin, email(numbers(1)[0]))
    first.ask("access")
    code = first.code()
    first.http.post(f"/requests/{first.request_id}/code/again")
    wait_for(lambda: True if len(first.mails()) == 2 else None, "the second mail")
    assert all(code in mail["text"] for mail in first.mails()), "whichever mail is opened, its code is right"
    first.prove()
    first.until("None of these systems found a record")

    second = Person(platform.origin, first.email)
    second.request_id = first.request_id
    first.http.post(f"/requests/{first.request_id}/code/again")
    fresh = wait_for(lambda: next((c for c in codes(first) if c != code), None), "a fresh code, the first is used")
    second.http.post(f"/requests/{second.request_id}/code", data={"code": fresh})
    way_in = link(first.mail("is ready"))
    third = httpx.Client(follow_redirects=True)
    answer = third.get(way_in)
    assert (
        answer.history[0].headers["referrer-policy"] == "no-referrer"
        and answer.history[0].headers["cache-control"] == "no-store"
    )
    assert "None of these systems" in answer.text and "None of these systems" in second.page()
    assert "None of these systems" in first.page(), "nobody was signed out"
    again = first.http.post(f"/requests/{first.request_id}/code", data={"code": code})
    assert "say=" not in again.headers["location"], "a second click on what succeeded shows where it stands"

    first.http.post(f"/requests/{first.request_id}/revoke")
    assert "None of these systems" in first.page() and "None of these systems" not in second.page()
    assert "not good any more" in httpx.get(way_in, follow_redirects=True).text
    assert "None of these systems" not in third.get(f"{platform.origin}/requests/{first.request_id}").text
    assert httpx.get(way_in[:-1] + ("A" if way_in[-1] != "A" else "B"), follow_redirects=True).status_code == 200


def codes(person: Person) -> list[str]:
    found = (re.search(r"\b\d{4} \d{4}\b", str(mail["text"])) for mail in person.mails())
    return [one[0] for one in found if one]


def test_a_request_may_be_taken_back_until_it_is_carried_out(platform: Platform) -> None:
    address, one, _ = family(platform)
    person = asking(platform, address, "erasure")
    assert "Take my request back" in person.page()
    person.http.post(f"/requests/{person.request_id}/close")
    for _ in range(2):
        assert person.http.post(f"/requests/{person.request_id}/close").status_code == 303
    assert person.say(one) == "", "the page says that it is closed, not that the number is wrong"
    page = person.until("Its key is destroyed")
    assert "We sent you a mail about it." in page, "said when it was so"
    so_far = "We looked for records with your address. For this request nothing was handed out or erased."
    assert so_far in page and so_far in person.mail("is closed"), "and no word of an answer that never was"
    assert f"Zyxwv{one}" in readable(platform, address)
