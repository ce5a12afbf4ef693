"""`kept identity`: import the staff. Run by the platform with identity's own environment; there is no such HTTP route."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from services.identity.accounts import actions
from services.identity.accounts.actions import Hiring
from services.identity.accounts.model import parse_employees
from services.identity.accounts.passwords import Passwords
from services.identity.app import SERVICE
from services.identity.base import TABLES
from services.identity.settings import IdentitySettings
from shared.access.actor import Actor
from shared.errors import InvalidInputError, KeptError
from shared.keys.blind import BlindIndex
from shared.keys.locators import locators
from shared.service import ground

app = typer.Typer(no_args_is_help=True, help="Staff accounts.")
file_bytes_max = 10 * 1024 * 1024  # of an employee file
password_bytes = 18  # 144 bits, 24 characters


@app.callback()
def _commands() -> None:
    """Staff accounts."""


async def import_file(path: Path, settings: IdentitySettings) -> tuple[int, int]:
    """How many accounts were made, how many were there already."""
    if (await asyncio.to_thread(path.stat)).st_size > file_bytes_max:
        raise InvalidInputError(f"the file is over {file_bytes_max} bytes")
    try:
        employees = parse_employees((await asyncio.to_thread(path.read_bytes)).decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidInputError("the file is not UTF-8") from None
    base = await ground(settings, TABLES)
    try:
        hiring = Hiring(
            passwords=Passwords(),
            blind=BlindIndex(SERVICE, base.vault),
            locate=lambda pairs: locators(base.vault, pairs),
            keep=lambda handle, values: base.vault.kv_put(f"demo/{handle}", dict(values)),
            new_password=lambda: secrets.token_urlsafe(password_bytes),
        )
        async with base.door.begin(Actor.system(SERVICE)) as w:
            return await actions.import_employees(w, employees, hiring)
    finally:
        await base.engine.dispose()


@app.command("seed", hidden=True)
@app.command("import-employees")
def import_employees(
    file: Annotated[Path, typer.Argument(help="CSV with EmployeeId, LastName, FirstName, Title, ReportsTo, Phone, Email")],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Accounts, roles and reporting lines from an employee file. Run twice, it changes nothing. Exit 1: refused."""
    try:
        made, there = asyncio.run(import_file(file, IdentitySettings()))
    except (KeptError, OSError) as error:
        detail = error.detail if isinstance(error, KeptError) else f"can't read the file: {error.strerror}"
        typer.echo(json.dumps({"error": detail}) if as_json else detail, err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps({"created": made, "already_there": there}))
    else:
        typer.echo(f"{made} accounts created, {there} were there already. First credentials are in Vault, kept/demo/<name>.")


if __name__ == "__main__":
    app()
