"""The HTTP API from a command line, signed in as a person: what the command reads is told under that person's name."""

import os
from typing import Annotated, Any

import httpx
import typer

from shared.errors import RefusedError, UnavailableError

SECONDS_MAX = 300
Origin = Annotated[str, typer.Option(help="where Kept is", envvar="KEPT_ORIGIN")]
ORIGIN = "http://localhost:8080"


class Refused(RefusedError):
    """What the API answered."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            problem: dict[str, Any] = answer.json()
        except ValueError:
            problem = {}
        super().__init__(str(problem.get("detail") or f"refused ({answer.status_code})"))
        self.code = str(problem.get("code") or "refused")  # type: ignore[misc]  # the answer's, not the class's


def signed_in(origin: str, *, seconds: float | None = SECONDS_MAX) -> httpx.Client:
    """A client with a token: KEPT_TOKEN, or sign in here (address, password, one-time code). UnavailableError, Refused."""
    client = httpx.Client(base_url=origin, timeout=httpx.Timeout(SECONDS_MAX, read=seconds), follow_redirects=False)
    token = os.environ.get("KEPT_TOKEN") or _token(client)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def _token(client: httpx.Client) -> str:
    email = typer.prompt("E-mail address", err=True)
    password = typer.prompt("Password", hide_input=True, err=True)
    code = typer.prompt("One-time code", err=True)
    try:
        answer = client.post("/api/identity/sessions", json={"email": email, "password": password, "code": code})
    except httpx.HTTPError:
        raise away(client) from None
    return str(checked(answer).json()["token"])


def checked(answer: httpx.Response) -> httpx.Response:
    """`answer`, unless it is a refusal."""
    if answer.is_success:
        return answer
    answer.read()
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise UnavailableError(Refused(answer).detail)
    raise Refused(answer)


def away(client: httpx.Client) -> UnavailableError:
    return UnavailableError(f"Kept does not answer at {client.base_url}. Is it running? (kept status)")
