"""`kept identity`: sign in for the other commands; import the staff, with identity's own settings."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from shared.cli import EXITS, ORIGIN, Json, Origin, say, told
from shared.commands import renew_key
from shared.errors import NotFoundError

app = typer.Typer(no_args_is_help=True, help="Staff accounts: sign in, import.", epilog=EXITS)
COLUMNS = "EmployeeId, LastName, FirstName, Title, ReportsTo, Phone, Email"
File = Annotated[Path, typer.Argument(help=f"CSV with {COLUMNS}", exists=True, dir_okay=False, readable=True)]


def _renewal() -> renew_key.Parts:
    from services.identity.accounts import rekey
    from services.identity.base import TABLES

    return TABLES, rekey.renew_key


renew_key.add(
    app, "identity", "user's", _renewal, what="the account", until="the user is erased", example="sub_…",
)  # fmt: skip


@app.command("sign-in")
def sign_in(origin: Origin = ORIGIN, as_json: Json = False) -> None:
    """Print a token, with which the other commands do not ask.

    `export KEPT_TOKEN=$(kept identity sign-in)`. Asks for e-mail address, password and one-time code, which works once. The
    token is as good as all three: keep it out of files and of the history of your shell."""
    from shared.http.client import token  # httpx, which the help does without

    with told(as_json):
        found = token(origin)
        say(as_json, found, str(found["token"]))


@app.command("import-employees")
def import_employees(file: File, as_json: Json = False) -> None:
    """Accounts, roles, reporting lines from a file.

    Run twice, it changes nothing. Each new account's first credentials are left in Vault, under kept/demo/<first name>."""
    from pydantic import ValidationError

    from services.identity.operate import import_file  # the whole service, which takes seconds
    from services.identity.settings import IdentitySettings

    with told(as_json):
        try:
            settings = IdentitySettings()
        except ValidationError:
            raise NotFoundError("no settings of identity here; is the platform running? (kept status)") from None
        done = asyncio.run(import_file(file, settings))
        line = f"{done.created} accounts created, {done.already_there} were there already."
        if done.numbered:
            line += f" {done.numbered} of them hold their employee number now."
        if done.created:
            line += " First credentials are in Vault, kept/demo/<first name>."
        say(as_json, asdict(done), line)


if __name__ == "__main__":
    app()
