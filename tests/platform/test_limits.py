"""A stranger's guesses and asking keep out nobody but the stranger: over the wire, from several sources at once."""

import os

import httpx
import pyotp
import pytest

from tests.support.insider import wait_until
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.staff import credentials

pytestmark = pytest.mark.platform


def at(platform: Platform, source: str) -> httpx.Client:
    """A browser at another address of this machine."""
    transport = httpx.HTTPTransport(local_address=source)
    origin = platform.origin.replace("localhost", "127.0.0.1")
    return httpx.Client(base_url=origin, transport=transport, timeout=60, headers={"Origin": platform.origin})


def test_laura_signs_in_while_somebody_guesses_at_her_address(platform: Platform) -> None:
    secret = credentials(platform.state, "laura")
    totp = pyotp.TOTP(secret["totp"])
    wrong = {"email": secret["email"], "password": "a guess", "code": "000000"}
    with at(platform, "127.0.0.66") as stranger, at(platform, "127.0.0.77") as laura:

        def signs_in() -> bool:
            stranger.post("/signin", data=wrong)  # it goes on meanwhile
            form = {"email": secret["email"], "password": secret["password"], "code": totp.now()}
            return laura.post("/signin", data=form).status_code == 303

        guesses = [stranger.post("/signin", data=wrong).status_code for _ in range(7)]
        assert guesses[:4] == [401] * 4 and guesses[-1] == 429
        lies = {"X-Forwarded-For": "127.0.0.99", "X-Real-IP": "127.0.0.99", "Forwarded": "for=127.0.0.99"}
        assert stranger.post("/signin", data=wrong, headers=lies).status_code == 429, "who one is, one does not say oneself"
        assert wait_until(signs_in, seconds=100, step=16)  # a step of her code may have been used by an earlier test
        laura.cookies.delete("kept_session")
        known = laura.cookies["kept_device"]
        stranger.cookies.set("kept_device", known, domain="127.0.0.1")  # the same browser, behind the guesser's address
        assert stranger.post("/signin", data=wrong).status_code == 401, "a known device has a lane of its own"


def test_the_command_line_is_a_known_device(platform: Platform) -> None:
    secret = credentials(platform.state, "steve")
    totp = pyotp.TOTP(secret["totp"])
    right = {"email": secret["email"], "password": secret["password"]}
    with at(platform, "127.0.0.67") as here:
        seen: list[httpx.Response] = []

        def signs_in(**more: str) -> bool:
            seen.append(here.post("/api/identity/sessions", json={**right, "code": totp.now(), **more}))
            return seen[-1].status_code == 201

        assert wait_until(signs_in, seconds=100, step=16)
        known = str(seen[-1].json()["device"])
        while here.post("/api/identity/sessions", json={**right, "password": "a guess", "code": "000000"}).status_code != 429:
            pass  # a stranger behind the same address
        assert not signs_in() and seen[-1].status_code == 429
        signs_in(device=known)
        assert seen[-1].status_code != 429, "it has a lane of its own"
        assert wait_until(lambda: signs_in(device=known), seconds=100, step=16)


def asks(platform: Platform, source: str, address: str) -> Person:
    """Somebody at `source` asks what is held on `address`."""
    person = Person(platform.origin, address)
    person.http.close()
    person.http = at(platform, source)
    assert person.ask("access").status_code == 303, "what one sees is the same, whether a code is sent or not"
    return person


def mailed(person: Person) -> set[str]:
    """The requests that this mailbox got a code for."""
    last = Person(person.origin, f"after-{person.request_id}@example.org")  # mails leave in order
    last.ask("access")
    last.code()
    return {str(mail["text"]).partition("/requests/")[2][:36] for mail in person.mails()}


def test_whoever_proved_the_mailbox_gets_codes_whatever_strangers_ask(platform: Platform) -> None:
    address = "asked-for@example.org"
    for _ in range(5):
        asks(platform, "127.0.0.66", address)
    person = asks(platform, "127.0.0.77", address)
    assert len(mailed(person)) == 4, "one source has its part of them, and the person a code"
    person.prove()
    cookie = next(one for one in person.http.cookies.jar if one.name == "kept_mailbox")
    assert cookie.path == "/" and cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict" and address not in str(cookie.value)
    strangers = [asks(platform, f"127.0.1.{number}", address) for number in range(1, 15)]
    assert person.ask("access").status_code == 303
    got = mailed(person)
    assert person.request_id in got and strangers[-1].request_id not in got and len(got) <= 13
    stranger = next(one for one in reversed(strangers) if one.request_id in got)
    elsewhere = Person(platform.origin, address)  # the person on a new device, for which no code comes: by the newest mail
    elsewhere.request_id = stranger.request_id
    assert "What it was asked for" in elsewhere.mail("Your code is")
    elsewhere.prove()
    assert elsewhere.ask("erasure").status_code == 303
    assert elsewhere.request_id in mailed(elsewhere), "from then on it is known"


def test_one_source_asks_so_often(platform: Platform) -> None:
    with at(platform, "127.0.0.88") as stranger:
        form = {"right": "access", "email": "at-once@example.org"}
        answers = [stranger.post("/", data=form) for _ in range(int(os.environ["KEPT_ASKS_PER_SOURCE"]) + 9)]
        assert answers[0].status_code == 303 and answers[-1].status_code == 429
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert "mailto:" in answers[-1].text, "the way that is left"
        again = stranger.post(f"{answers[0].headers['location']}/code/again")
        assert again.status_code == 429 and "write to us" in again.text
    with at(platform, "127.0.0.89") as other:
        assert other.post("/", data=form).status_code == 303
