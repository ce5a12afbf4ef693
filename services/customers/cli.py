"""`kept customers`: import a file, export all. Both go through the same door as a browser: the HTTP API, signed in."""

from pathlib import Path
from typing import Annotated, Any

import typer

from shared.cli import EXITS, ORIGIN, Json, Origin, say, told
from shared.errors import ConflictError
from shared.http.client import ask, signed_in

app = typer.Typer(no_args_is_help=True, help="Customer records: import and export.", epilog=EXITS)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, UTF-8", exists=True, dir_okay=False, readable=True)],
    origin: Origin = ORIGIN,
    returning: Annotated[
        bool, typer.Option("--returning", help="the forgotten in this file are customers again; you answer for it")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take in a customer file, whole or not at all.

    Run twice, it changes nothing. Signed in by KEPT_TOKEN (kept identity sign-in), or asks."""
    with told(as_json), signed_in(origin) as http:
        params = {"returning": "true"} if returning else {}
        headers = {"Content-Type": "text/csv"}
        done = ask(http, "POST", "/api/customers/imports", content=file.read_bytes(), headers=headers, params=params).json()
        say(as_json, done, "\n".join(_taken(done)))


def _taken(done: dict[str, Any]) -> list[str]:
    lines = [f"{done['rows']} rows: {done['created']} customers created, {done['already_there']} were there already."]
    if number := done["forgotten"]:
        of_them = "1 of them was forgotten, and stays so" if number == 1 else f"{number} of them were forgotten, and stay so"
        lines.append(f"{of_them}. (--returning, if they are customers again)")
    if done["refused_columns"]:
        lines.append(f"Left out, because no purpose is known for them: {', '.join(done['refused_columns'])}")
    return lines


@app.command("unusable")
def unusable(origin: Origin = ORIGIN, as_json: Json = False) -> None:
    """Stored values that can't be used (a phone that nobody can dial, an address of an older version), for you to mend.

    Whose and which field and why, never the value. Signed in by KEPT_TOKEN (kept identity sign-in), or asks."""
    with told(as_json), signed_in(origin) as http:
        found: list[dict[str, str]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = ask(http, "GET", "/api/customers/unusable", params={"cursor": cursor}).json()
            found, cursor = found + page["items"], page["next"]
        lines = [f"{one['subject']}  {one['field']}: {one['reason']}" for one in found]
        say(as_json, {"items": found}, "\n".join(lines) or "Every stored value can be used.")


@app.command("export")
def export_file(
    out: Annotated[Path, typer.Argument(help="where the sealed file goes; must not exist")],
    recipient: Annotated[str, typer.Option(help="your age public key (age1...): only its owner opens the file")],
    grant: Annotated[str, typer.Option(help="of identity, after two others agreed", envvar="KEPT_GRANT")],
    origin: Origin = ORIGIN,
    as_json: Json = False,
) -> None:
    """Every record you may see, sealed to your key.

    Needs a grant: POST /api/identity/approvals asks for one (action `export`, resource `customers`), two others agree at
    /approvals, GET /api/identity/approvals/<id>/grant gives it. Signed in by KEPT_TOKEN (kept identity sign-in), or asks."""
    with told(as_json):
        if out.exists():
            raise ConflictError(f"{out} exists already")
        with signed_in(origin) as http:
            headers = {"X-Kept-Grant": grant}
            sealed = ask(http, "POST", "/api/customers/exports", json={"recipient": recipient}, headers=headers).content
        out.write_bytes(sealed)
        say(as_json, {"file": str(out), "bytes": len(sealed)}, f"{out}: {len(sealed)} bytes, sealed to your key.")


if __name__ == "__main__":
    app()
