"""dsar over real servers: bad input, the hourly limit, who may see the desk, the log of keys and laws."""

import httpx
import pytest

from tests.support.platform import Platform
from tests.support.portal import Person, impersonal
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform


@pytest.mark.parametrize("typed", ["", "no-at-sign", "a@", "@b", "a b@c.d", "x" * 300 + "@example.org", "a@exa mple.org"])
def test_what_is_no_address_gets_a_plain_answer(platform: Platform, typed: str) -> None:
    answer = httpx.post(f"{platform.origin}/", data={"right": "access", "email": typed})
    assert answer.status_code == 422
    assert typed == "" or typed not in answer.text, "the page does not repeat what was typed"


def test_an_unknown_right_is_refused(platform: Platform) -> None:
    assert httpx.post(f"{platform.origin}/", data={"right": "everything", "email": "a@example.org"}).status_code == 422


@pytest.mark.parametrize("path", ["/requests/nonsense", "/requests/req_0", "/requests/req_" + "0" * 32 + "/certificate"])
def test_a_request_that_is_not_there(platform: Platform, path: str) -> None:
    assert httpx.get(platform.origin + path).status_code == 404


def test_a_request_of_another_looks_like_one_that_waits_for_its_code(platform: Platform) -> None:
    person = Person(platform.origin, "looks@example.org")
    person.ask("access")
    theirs = httpx.get(f"{platform.origin}/requests/{person.request_id}").text
    nobodys = httpx.get(f"{platform.origin}/requests/req_{'0' * 32}").text
    assert impersonal(theirs, person.request_id) == impersonal(nobodys, "req_" + "0" * 32)


def test_an_address_gets_five_codes_an_hour_and_the_page_does_not_tell(platform: Platform) -> None:
    person = Person(platform.origin, "flood@example.org")
    pages = set()
    for n in range(8):
        person.email = ("flood@example.org", "FLOOD@Example.ORG", " ｆlood@example.org")[n % 3]  # one mailbox, however spelt
        answer = person.ask("access")
        pages.add((answer.status_code, impersonal(person.page(), person.request_id)))
    assert len(pages) == 1
    person.email = "flood@example.org"
    last = Person(platform.origin, "after@example.org")  # mails leave in order: when this one is there, all others are
    last.ask("access")
    last.code()
    assert len([mail for mail in person.mails() if "code" in mail["subject"]]) <= 5


def test_no_address_stops_the_mail_of_the_next_person(platform: Platform) -> None:
    before = platform.process("dsar")
    hostile = ["anna@@t.example", "=?utf-8?b?!!?=@t.example", ".:@t.example", "to:;anna@t.example", "anna@t.example."]
    for typed in [*hostile, "a%00@b.example", "anna:@t.example"]:
        answer = httpx.post(f"{platform.origin}/", data={"right": "access", "email": typed}, timeout=30)
        assert answer.status_code in (303, 422), "taken, or refused in plain words"
    person = Person(platform.origin, "behind-them@example.org")
    person.ask("access")
    assert person.code()
    assert platform.process("dsar") == before, "the same process"
    for mail in httpx.get(f"{platform.origin}/mail.json").json():
        assert mail["to"].count("@") == 1 and not {" ", ",", ";", ":", "<", "?"} & set(mail["to"])


def test_the_desk_is_for_those_who_answer_for_requests(platform: Platform) -> None:
    assert httpx.get(f"{platform.origin}/api/dsar/requests").status_code == 401
    with signed_in(platform, "jane") as agent:
        assert agent.get("/api/dsar/requests").status_code == 403
    with signed_in(platform, "andrew") as manager:
        answer = manager.get("/api/dsar/requests")
        assert answer.status_code == 200
        assert "@" not in answer.text


def test_keys_and_laws_are_public(platform: Platform) -> None:
    keys = httpx.get(f"{platform.origin}/api/dsar/keys").text.splitlines()
    assert {key.split("+")[0] for key in keys} >= {"kept.local/dsar", "kept.local/customers", "kept.local/audit"}
    laws = httpx.get(f"{platform.origin}/api/dsar/laws").json()["laws"]
    assert {law["id"] for law in laws} >= {"eu-gdpr", "uk-gdpr", "us-ca-ccpa", "us-hipaa", "cn-pipl"}
