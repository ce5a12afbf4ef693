"""A stranger's guesses keep out nobody but the stranger: over the wire, from two sources at once."""

import httpx
import pyotp
import pytest

from tests.support.insider import wait_until
from tests.support.platform import Platform
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
