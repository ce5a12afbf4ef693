"""Several requests of one person at the same time: none ends another without a word, and each says what became of it."""

import threading
from pathlib import Path

import pytest

from tests.platform.test_records import asking, checked, readable
from tests.support.insider import Insider
from tests.support.made_up import email, family, numbers, table
from tests.support.platform import Platform
from tests.support.portal import Person, wait_for
from tests.support.staff import approve, signed_in

pytestmark = pytest.mark.platform
APPROVALS = "/api/identity/approvals"


def somebody(platform: Platform) -> str:
    """The address of a new customer of Jane's."""
    number = numbers(1)[0]
    with signed_in(platform, "nancy") as nancy:
        nancy.post("/api/customers/imports", content=table([number])).raise_for_status()
    return email(number)


def proven(platform: Platform, address: str, right: str) -> Person:
    person = Person(platform.origin, address)
    person.ask(right)
    person.prove()
    return person


def test_two_erasures_of_one_person_approved_together_both_end_with_a_certificate(platform: Platform, tmp_path: Path) -> None:
    address = somebody(platform)
    both = [proven(platform, address, "erasure") for _ in range(2)]
    for one in both:
        one.until("it waits for two people to decide")
    approve(platform, both[0].request_id, "nancy")
    approve(platform, both[1].request_id, "nancy")
    threads = [threading.Thread(target=approve, args=(platform, one.request_id, "andrew")) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in both:
        one.until("Download the certificate")
        assert "certificate" in one.mail("is done")
        checked(one, tmp_path)
    assert readable(platform, address) == "[]"


def test_a_record_erased_at_one_request_stays_part_of_the_other_which_goes_on(platform: Platform, tmp_path: Path) -> None:
    address, one, two = family(platform)
    first, second = (asking(platform, address, "erasure") for _ in range(2))
    assert first.say(one) == "narrow.added"
    first.go_on()
    assert second.say(one) == "narrow.added" and second.say(two) == "narrow.added"
    second.until("it waits for two people to decide")
    first.until("it waits for two people to decide")
    approve(platform, first.request_id, "nancy", "andrew")
    first.until("Download the certificate")
    page = second.page()
    assert "it waits for two people to decide" in page and page.count("Covered:") == 2
    assert f"Zyxwv{two}" in readable(platform, address)

    approve(platform, second.request_id, "nancy", "andrew")
    assert second.until("Download the certificate").count("Covered:") == 2
    assert readable(platform, address) == "[]"
    for person in (first, second):
        checked(person, tmp_path)


def test_an_answer_with_what_was_erased_is_destroyed_and_its_person_is_told(platform: Platform) -> None:
    address = somebody(platform)
    access = proven(platform, address, "access")
    access.until("Download my data")
    erasure = proven(platform, address, "erasure")
    erasure.until("it waits for two people to decide")
    approve(platform, erasure.request_id, "nancy", "andrew")
    erasure.until("Download the certificate")

    said = "It ended because a record that it covers was erased at another request. The answer was ready; our copy of it is"
    assert said in access.until("This request is closed")
    assert said in access.mail("is closed")
    with Insider(platform.state, "dsar").connect("dsar") as database:
        left = database.execute("SELECT count(*) FROM parts WHERE request_id = %s", [access.request_id]).fetchone()
    assert left == (0,)


def test_nobody_decides_on_the_erasure_of_a_record_under_their_own_address(platform: Platform) -> None:
    """A privacy officer is a customer too, and names the customer's record alone."""
    (number,) = numbers(1)
    with signed_in(platform, "nancy") as nancy:
        mine = table([number]).replace(email(number).encode(), b"andrew@chinookcorp.com")
        nancy.post("/api/customers/imports", content=mine).raise_for_status()
    person = asking(platform, "andrew@chinookcorp.com", "erasure")
    assert person.say(number) == "narrow.added"
    person.go_on()
    person.until("it waits for two people to decide")

    with signed_in(platform, "andrew") as andrew:
        listed = lambda: andrew.get(APPROVALS).raise_for_status().json()["items"]  # noqa: E731
        (asked,) = wait_for(lambda: [one for one in listed() if one["resource"] == person.request_id], "the approval")
        me = andrew.get("/api/identity/me").json()["id"]
        assert me not in (asked["subject"], *asked["approvers"])
        assert andrew.post(f"{APPROVALS}/{asked['id']}/approve").status_code == 403
    with signed_in(platform, "nancy") as nancy:
        assert nancy.post(f"{APPROVALS}/{asked['id']}/approve").status_code == 200
    person.http.post(f"/requests/{person.request_id}/close")
