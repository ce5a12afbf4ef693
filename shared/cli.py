"""What every command line of Kept shares, and the kernel's own commands: `kept dlq`, `kept keys`.

    with told(as_json):
        say(as_json, {"replayed": n}, f"{n} letters go to {service} again.")

One error is one line on stderr (with --json: one object). Exit codes: 0 done, 1 refused or faulty, 2 wrong usage,
3 a part is away (try again).
"""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from shared.bus import dlq as letters
from shared.bus.broker import BrokerSettings
from shared.db import database_url, make_engine
from shared.errors import KeptError, NotFoundError, UnavailableError
from shared.keys.vault import Vault
from shared.settings import ServiceSettings

REFUSED, AWAY = 1, 3
Json = Annotated[bool, typer.Option("--json", help="for machines")]
Service = Annotated[str, typer.Argument(help="identity, customers, audit, backup, dsar")]
Optionally = Annotated[str, typer.Argument(help="one service; all of this machine if none is named")]
dlq = typer.Typer(no_args_is_help=True, help="Dead letters: what a service could not handle.")
keys = typer.Typer(no_args_is_help=True, help="Keys of people, and the keys that wrap them.")


# -- for every command ------------------------------------------------------------------------------------------


def say(as_json: bool, record: object, line: str) -> None:
    """The result: an object for machines, or a sentence."""
    typer.echo(json.dumps(record, ensure_ascii=False) if as_json else line)


def show(as_json: bool, rows: Sequence[Mapping[str, object]], *, empty: str) -> None:
    """Rows as a table under their names, or as a list of objects."""
    if as_json:
        typer.echo(json.dumps(list(rows), ensure_ascii=False))
    elif not rows:
        typer.echo(empty)
    else:
        table = Table(*rows[0], box=None, pad_edge=False, header_style="dim")
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        Console(highlight=False, markup=False).print(table)


@contextmanager
def told(as_json: bool) -> Iterator[None]:
    """Errors as one line and an exit code."""
    try:
        yield
    except KeptError as error:
        line = json.dumps({"error": error.detail, "code": error.code}) if as_json else f"{error.code}: {error.detail}"
        typer.echo(line, err=True)
        raise typer.Exit(AWAY if isinstance(error, UnavailableError) else REFUSED) from None


# -- whose settings ---------------------------------------------------------------------------------------------


def settings_of(service: str) -> ServiceSettings:
    """The service's settings: from this process's environment, else as the local platform wrote them."""
    if os.environ.get("KEPT_SERVICE", service) == service and "KEPT_VAULT_ROLE_ID" in os.environ:
        return ServiceSettings(service=service)
    try:
        lines = (_run() / f"{service}.env").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"no settings of {service} here; is the platform running? (kept status)") from None
    names = {name.removeprefix("KEPT_").lower(): value for name, _, value in (line.partition("=") for line in lines)}
    return ServiceSettings(**{name: value for name, value in names.items() if name in ServiceSettings.model_fields})  # type: ignore[arg-type]  # texts, which pydantic reads as it reads the environment


def services(service: str) -> list[str]:
    """The one that was named, else all that have settings here."""
    return [service] if service else sorted(path.stem for path in _run().glob("*.env"))


def _run() -> Path:
    return Path(os.environ.get("KEPT_STATE", ".kept")) / "run"


async def _broker(settings: ServiceSettings) -> BrokerSettings:
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id_file)
    return BrokerSettings.of(settings, (await vault.kv(f"{settings.service}/kafka"))["password"])


# -- dead letters -----------------------------------------------------------------------------------------------


def _about(service: str, letter: letters.Letter) -> dict[str, object]:
    """What may be shown: never key or value, which may hold what a foreign system should not have sent."""
    return {
        "service": service,
        "letter": letter.position,
        "reason": letter.reason,
        "tries": letter.tries,
        "from": letter.origin,
        "type": letter.type,
        "id": letter.id,
        "bytes": letter.bytes,
        "replayed": letter.replayed,
    }


@dlq.command("list")
def list_letters(service: Optionally = "", as_json: Json = False) -> None:
    """What could not be handled, and why."""

    async def found() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for one in services(service):
            broker = await _broker(settings_of(one))
            rows += [_about(one, letter) for letter in await letters.letters(broker, one)]
        return rows

    with told(as_json):
        show(as_json, asyncio.run(found()), empty="No dead letters.")


@dlq.command("show")
def show_letter(service: Service, letter: str, as_json: Json = False) -> None:
    """One letter: where it came from and why it died; not what it says."""

    async def found() -> dict[str, object]:
        return _about(service, await letters.show(await _broker(settings_of(service)), service, letter))

    with told(as_json):
        about = asyncio.run(found())
        say(as_json, about, "\n".join(f"{name:<9} {value}" for name, value in about.items()))


@dlq.command("replay")
def replay_letters(
    service: Service,
    letter: Annotated[list[str] | None, typer.Argument(help="which; all that were never replayed if none is named")] = None,
    as_json: Json = False,
) -> None:
    """Hand letters to the service again. An effect that happened already does not happen twice."""

    async def done() -> int:
        return await letters.replay(await _broker(settings_of(service)), service, letter or [])

    with told(as_json):
        number = asyncio.run(done())
        say(as_json, {"service": service, "replayed": number}, f"{number} of {service}'s dead letters go to it again.")


# -- keys -------------------------------------------------------------------------------------------------------


@keys.command("status")
def keys_status(service: Optionally = "", as_json: Json = False) -> None:
    """How many people have a key in each service, and how many were destroyed."""

    async def found() -> list[dict[str, object]]:
        counted = [await _counted(settings_of(one)) for one in services(service)]
        return [row for row in counted if row is not None]

    with told(as_json):
        show(as_json, asyncio.run(found()), empty="No keyrings here.")


async def _counted(settings: ServiceSettings) -> dict[str, object] | None:
    """None for a foreign system, which has no database of ours."""
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id_file)
    try:
        password = (await vault.kv(f"{settings.service}/database"))["password"]
    except NotFoundError:
        return None
    engine = make_engine(database_url(settings, password))
    try:
        async with engine.connect() as connection:
            count: Any = (
                await connection.execute(text("SELECT (SELECT count(*) FROM keyring), (SELECT count(*) FROM shredded)"))
            ).one()
    except (OSError, OperationalError):
        raise UnavailableError("the database is away") from None
    finally:
        await engine.dispose()
    return {"service": settings.service, "keys": count[0], "destroyed": count[1], "vault": await vault.healthy()}
