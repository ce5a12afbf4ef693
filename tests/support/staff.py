"""Signs in as one of the demo's staff, over HTTP, as they do themselves.

A one-time code works once, so everybody shares the token of one sign-in; sign in with `signed_in`, never by hand.
"""

import time
from typing import TYPE_CHECKING

import httpx
import hvac
import pyotp

from deploy.local import ports
from deploy.local.state import State
from tests.support.portal import wait_for

if TYPE_CHECKING:
    from tests.support.platform import Platform

TOKEN_SECONDS = 1800  # of the hour that a token lives
_tokens: dict[tuple[str, str], tuple[float, str]] = {}


def credentials(state: State, name: str) -> dict[str, str]:
    """Address, password and TOTP secret, which only the demo's own role may read."""
    role = state.read_json(state.run / "demo.role.json")
    assert role is not None, "the platform was never started"
    client = hvac.Client(url=f"http://127.0.0.1:{ports.load(state)['vault']}", timeout=10)
    client.auth.approle.login(str(role["role_id"]), state.secret_id("demo").read_text().strip())
    found: dict[str, str] = client.read(f"kept/data/demo/{name}")["data"]["data"]
    return found


def token(platform: "Platform", name: str) -> str:
    """A session token of `name` (first name, lower case)."""
    at, known = _tokens.get((platform.origin, name), (0.0, ""))
    if known and time.monotonic() - at < TOKEN_SECONDS and not ended(platform, known):
        return known
    secret = credentials(platform.state, name)
    fresh = try_codes(platform.origin, secret)
    _tokens[platform.origin, name] = (time.monotonic(), fresh)
    return fresh


def ended(platform: "Platform", known: str) -> bool:
    """Somebody who signs out ends all sessions they have, also the one that every test shares. Nobody's look, no database."""
    try:
        answer = httpx.get(f"{platform.origin}/api/identity/me", headers={"Authorization": f"Bearer {known}"}, timeout=5)
    except httpx.TransportError:  # a test has paused it
        return False
    return answer.status_code == httpx.codes.UNAUTHORIZED


def try_codes(origin: str, secret: dict[str, str]) -> str:
    """Sign in with this step's code, else the next one's (a clock may be half a minute fast), else later."""
    totp = pyotp.TOTP(secret["totp"])
    for _ in range(4):
        for ahead in (0, totp.interval):
            body = {"email": secret["email"], "password": secret["password"], "code": totp.at(time.time() + ahead)}
            answer = httpx.post(f"{origin}/api/identity/sessions", json=body, timeout=30)
            if answer.status_code == httpx.codes.CREATED:
                return str(answer.json()["token"])
            assert answer.status_code in (401, 429), answer.text
        wait = int(answer.headers.get("retry-after", totp.interval - time.time() % totp.interval + 1))
        time.sleep(min(wait, 60))
    raise AssertionError("could not sign in")


def signed_in(platform: "Platform", name: str) -> httpx.Client:
    """An HTTP client that is `name`."""
    headers = {"Authorization": f"Bearer {token(platform, name)}"}
    return httpx.Client(base_url=platform.origin, headers=headers, timeout=30)


def me(client: httpx.Client) -> str:
    """The id of who is signed in."""
    return str(client.get("/api/identity/me").raise_for_status().json()["id"])


def approve(platform: "Platform", request_id: str, *names: str) -> None:
    """Two people say yes, each in their own session."""

    def waiting(http: httpx.Client) -> str | None:
        listed = http.get("/api/identity/approvals").json()["items"]
        return next((str(one["id"]) for one in listed if one["resource"] == request_id), None)

    for name in names:
        with signed_in(platform, name) as http:
            approval = wait_for(lambda http=http: waiting(http), "the approval to be asked for")
            http.post(f"/api/identity/approvals/{approval}/approve").raise_for_status()
