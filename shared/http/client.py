"""The HTTP API from a command line, signed in as a person: what the command reads is told under that person's name."""

import os
import sys
from typing import Any

import httpx
import typer

from shared.errors import RefusedError, UnauthenticatedError, UnavailableError
from shared.http.terminal import device, remember

SECONDS_MAX = 300
AWAY = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)
SIGN_IN = "export KEPT_TOKEN=$(kept identity sign-in)"


class Refused(RefusedError):
    """What the API answered."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            problem: dict[str, Any] = answer.json()
        except ValueError:
            problem = {}
        detail = str(problem.get("detail") or problem.get("title") or f"the answer ({answer.status_code}) is not one of Kept")
        again = answer.status_code == httpx.codes.UNAUTHORIZED and bool(os.environ.get("KEPT_TOKEN"))
        super().__init__(f"{detail}; sign in again: {SIGN_IN}" if again else detail)
        self.code = str(problem.get("code") or "refused")  # type: ignore[misc]  # the answer's, not the class's


def signed_in(origin: str, *, seconds: float | None = SECONDS_MAX) -> httpx.Client:
    """A client with a token: KEPT_TOKEN, or sign in here (address, password, one-time code). UnavailableError, Refused."""
    client = httpx.Client(base_url=origin, timeout=httpx.Timeout(SECONDS_MAX, read=seconds), follow_redirects=False)
    client.headers["Authorization"] = f"Bearer {os.environ.get('KEPT_TOKEN') or _token(client)['token']}"
    return client


def token(origin: str) -> dict[str, Any]:
    """A token for somebody who signs in here, and how many seconds it holds. UnavailableError, Refused."""
    with httpx.Client(base_url=origin, timeout=SECONDS_MAX, follow_redirects=False) as client:
        return _token(client)


def _token(client: httpx.Client) -> dict[str, Any]:
    try:
        typed = {
            "email": typer.prompt("E-mail address", err=True),
            "password": typer.prompt("Password", hide_input=sys.stdin.isatty(), err=True),
            "code": typer.prompt("One-time code", err=True),
        }
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        typer.echo(err=True)
        raise UnauthenticatedError(f"nobody is signed in, and nobody is here to be asked: {SIGN_IN}") from None
    origin = str(client.base_url)
    found: dict[str, Any] = ask(client, "POST", "/api/identity/sessions", json={**typed, "device": device(origin)}).json()
    if known := found.pop("device", ""):
        remember(origin, str(known))
    return found


def ask(client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    """One request. UnavailableError where nobody answers, Refused."""
    try:
        answer = client.request(method, path, **more)
    except httpx.HTTPError:
        raise away(client) from None
    return checked(answer)


def checked(answer: httpx.Response) -> httpx.Response:
    """`answer`, unless it is a refusal."""
    if answer.is_success:
        return answer
    answer.read()
    if answer.status_code in AWAY:
        raise UnavailableError(Refused(answer).detail)
    raise Refused(answer)


def away(client: httpx.Client) -> UnavailableError:
    return UnavailableError(f"Kept does not answer at {client.base_url}. Is it running? (kept status)")
