"""`kept keys`: what is in the keyrings, with each service's own settings."""

import asyncio
from typing import Annotated, Any

import typer
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from shared.cli import EXITS, Json, show, told
from shared.db import database_url, make_engine
from shared.errors import NotFoundError, UnavailableError
from shared.installed import services, settings_of
from shared.keys.vault import Vault
from shared.settings import ServiceSettings

app = typer.Typer(no_args_is_help=True, help="Keys of people, and the keys that wrap them.", epilog=EXITS)


@app.callback()
def _commands() -> None:
    """A group, though it has one command so far."""


@app.command()
def status(
    service: Annotated[str, typer.Argument(help="one service; all of this machine if none is named")] = "",
    as_json: Json = False,
) -> None:
    """How many people's keys each service has, and has destroyed."""

    async def found() -> list[dict[str, object]]:
        counted = [await _counted(settings_of(one)) for one in services(service)]
        return [row for row in counted if row is not None]

    with told(as_json):
        show(as_json, asyncio.run(found()), empty="No keyrings here.")


async def _counted(settings: ServiceSettings) -> dict[str, object] | None:
    """None for a foreign system, which has no database of ours."""
    vault = Vault.of(settings)
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
    return {"service": settings.service, "keys": count[0], "destroyed": count[1]}
