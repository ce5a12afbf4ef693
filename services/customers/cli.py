"""`kept customers`: import a file, export all. Both go through the same door as a browser: the HTTP API, signed in."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.customers.transfer.notices import Notice
from shared.cli import EXITS, ORIGIN, Json, Origin, say, told
from shared.commands import renew_key
from shared.errors import ConflictError
from shared.http.client import ask, signed_in

app = typer.Typer(no_args_is_help=True, help="Customer records: import and export.", epilog=EXITS)


def _renewal() -> renew_key.Parts:
    from services.customers.base import TABLES
    from services.customers.records import rekey

    return TABLES, rekey.renew_key


renew_key.add(
    app, "customers", "customer's", _renewal,
    what="the record", until="the customer is erased", example="sub_…",
)  # fmt: skip


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, as a spreadsheet writes it", exists=True, dir_okay=False, readable=True)],
    origin: Origin = ORIGIN,
    check: Annotated[bool, typer.Option("--check", help="say what it would do, and do nothing")] = False,
    returning: Annotated[
        bool, typer.Option("--returning", help="the forgotten in this file are customers again; you answer for it")
    ] = False,
    unowned: Annotated[
        bool, typer.Option("--unowned", help="take in also those whom nobody on the staff can see yet (SupportRepId)")
    ] = False,
    encoding: Annotated[
        str, typer.Option("--encoding", help="of a file that is neither marked nor UTF-8, e.g. windows-1252 or gb18030")
    ] = "",
    as_json: Json = False,
) -> None:
    """Take in a customer file, whole or not at all.

    Run twice, it changes nothing. Signed in by KEPT_TOKEN (kept identity sign-in), or asks. What files are taken:
    docs/import-export.md."""
    with told(as_json), signed_in(origin) as http:
        asked = {
            "returning": "true" if returning else "",
            "unowned": "true" if unowned and not check else "",
            "encoding": encoding,
        }
        params = {name: value for name, value in asked.items() if value}
        headers = {"Content-Type": "text/csv"}
        path = "/api/customers/imports" + ("/check" if check else "")
        done = ask(http, "POST", path, content=file.read_bytes(), headers=headers, params=params).json()
        say(as_json, done, "\n".join(_taken(done, check=check)))


OPTIONS = {"forgotten": "--returning", "unowned": "--unowned"}


def _taken(done: dict[str, Any], *, check: bool = False) -> list[str]:
    """What was done, what was left out, and which rows a person should look at."""
    made = "would be created" if check else "created"
    lines = [
        f"{done['rows']} rows ({done['encoding']}, {done['separator']}): {done['created']} customers {made}, "
        f"{done['already_there']} were there already."
    ]
    if done["refused_columns"]:
        lines.append(f"Left out, because no purpose is known for them: {', '.join(done['refused_columns'])}")
    if done["absent_columns"]:
        lines.append(f"Not in the file: {', '.join(done['absent_columns'])}")
    if done["returned"]:
        lines.append(f"{done['returned']} of them had been forgotten, and {'would be' if check else 'are'} customers again.")
    for one in done["notices"]:
        shown = Notice.model_validate(one)
        option = f" ({OPTIONS[shown.code]})" if shown.code in OPTIONS else ""
        columns = sorted({column for place in shown.places for column in place.columns})
        about = f", {', '.join(columns)}" if columns else ""
        lines.append(f"{shown.rows().capitalize()}{about}: {shown.says}{option}")
    if done["numbered"] and not check:
        lines.append(f"{done['numbered']} records hold their number now, so that an export can name it.")
    return lines


@app.command("unusable")
def unusable(origin: Origin = ORIGIN, as_json: Json = False) -> None:
    """Stored values that can't be used, for you to mend.

    A phone that nobody can dial, an address that an older version took. Whose, which field and why;
    never the value. Signed in by KEPT_TOKEN (kept identity sign-in), or asks."""
    with told(as_json), signed_in(origin) as http:
        found: list[dict[str, str]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = ask(http, "GET", "/api/customers/unusable", params={"cursor": cursor}).json()
            found, cursor = found + page["items"], page["next"]
        lines = [f"{one['subject']}  {one['field']}: {one['reason']}" for one in found]
        say(as_json, {"items": found}, "\n".join(lines) or "Every stored value can be used.")


@app.command("unowned")
def unowned(origin: Origin = ORIGIN, as_json: Json = False) -> None:
    """How many customers wait for a representative.

    Nobody can see them before somebody on the staff has the number that their file named (SupportRepId).
    Signed in by KEPT_TOKEN (kept identity sign-in), or asks."""
    with told(as_json), signed_in(origin) as http:
        found = ask(http, "GET", "/api/customers/unowned").json()
        lines = [f"{found['records']} customers wait for a representative."]
        if found["without_number"]:
            lines.append(f"{found['without_number']} of them came before that number was kept; import their file once more.")
        say(as_json, found, "\n".join(lines))


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
