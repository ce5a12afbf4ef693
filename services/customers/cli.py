"""`kept customers`: import a file, export all. Both go through the same door as a browser: the HTTP API, signed in."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

app = typer.Typer(no_args_is_help=True, help="Customer records: import and export.")
SECONDS_MAX = 300  # of one import: five thousand rows take a few seconds

Origin = Annotated[str, typer.Option(help="where Kept is", envvar="KEPT_ORIGIN")]
Json = Annotated[bool, typer.Option("--json", help="for machines")]


def _token(http: httpx.Client) -> str:
    """KEPT_TOKEN, or sign in here."""
    token = os.environ.get("KEPT_TOKEN", "")
    if token:
        return token
    email = typer.prompt("E-mail address", err=True)
    password = typer.prompt("Password", hide_input=True, err=True)
    code = typer.prompt("One-time code", err=True)
    body = {"email": email, "password": password, "code": code}
    return str(_checked(http.post("/api/identity/sessions", json=body), False).json()["token"])


def _checked(answer: httpx.Response, as_json: bool) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        problem: dict[str, Any] = answer.json()
    except ValueError:
        problem = {"status": answer.status_code, "detail": "the answer is not one of Kept"}
    typer.echo(json.dumps(problem) if as_json else f"Refused ({answer.status_code}): {problem.get('detail')}", err=True)
    raise typer.Exit(1)


def _client(origin: str) -> httpx.Client:
    return httpx.Client(base_url=origin, timeout=SECONDS_MAX, follow_redirects=False)


def _unreachable(origin: str, as_json: bool) -> typer.Exit:
    text = f"Kept does not answer at {origin}. Is it running? (kept status)"
    typer.echo(json.dumps({"error": text}) if as_json else text, err=True)
    return typer.Exit(3)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, UTF-8", exists=True, dir_okay=False, readable=True)],
    origin: Origin = "http://localhost:8080",
    returning: Annotated[bool, typer.Option(help="the forgotten in this file are customers again; you answer for it")] = False,
    as_json: Json = False,
) -> None:
    """Take in a customer file, whole or not at all; run twice, it changes nothing. Exit 1: refused, 3: no answer.

    Signed in by KEPT_TOKEN, or asks."""
    with _client(origin) as http:
        try:
            headers = {"Authorization": f"Bearer {_token(http)}", "Content-Type": "text/csv"}
            asked = {"returning": "true"} if returning else {}
            answer = http.post("/api/customers/imports", content=file.read_bytes(), headers=headers, params=asked)
        except httpx.HTTPError:
            raise _unreachable(origin, as_json) from None
    done = _checked(answer, as_json).json()
    if as_json:
        typer.echo(json.dumps(done))
        return
    typer.echo(f"{done['rows']} rows: {done['created']} customers created, {done['already_there']} were there already.")
    if done["forgotten"]:
        typer.echo(f"{done['forgotten']} of them were forgotten, and stay so. (--returning, if they are customers again)")
    if done["refused_columns"]:
        typer.echo(f"Refused, because no purpose is known for them: {', '.join(done['refused_columns'])}")


@app.command("export")
def export_file(
    out: Annotated[Path, typer.Argument(help="where the sealed file goes; must not exist")],
    recipient: Annotated[str, typer.Option(help="your age public key (age1...): only its owner opens the file")],
    grant: Annotated[str, typer.Option(help="what identity gave after two others approved", envvar="KEPT_GRANT")],
    origin: Origin = "http://localhost:8080",
    as_json: Json = False,
) -> None:
    """Every record you may see, sealed to your key. Needs the grant of two others (approvals page, action export)."""
    if out.exists():
        typer.echo(f"{out} exists already", err=True)
        raise typer.Exit(2)
    with _client(origin) as http:
        try:
            headers = {"Authorization": f"Bearer {_token(http)}", "X-Kept-Grant": grant}
            answer = http.post("/api/customers/exports", json={"recipient": recipient}, headers=headers)
        except httpx.HTTPError:
            raise _unreachable(origin, as_json) from None
    sealed = _checked(answer, as_json).content
    out.write_bytes(sealed)
    typer.echo(
        json.dumps({"file": str(out), "bytes": len(sealed)}) if as_json else f"{out}: {len(sealed)} bytes, sealed to your key."
    )


if __name__ == "__main__":
    app()
