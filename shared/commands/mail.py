"""`kept mail`: the mails that could not be sent, with each service's own settings."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cli import EXITS, Json, say, show, told
from shared.clock import SystemClock
from shared.db import database_url, make_engine
from shared.errors import NotFoundError, UnavailableError
from shared.installed import services, settings_of
from shared.keys.vault import Vault
from shared.mail import queue
from shared.settings import ServiceSettings

app = typer.Typer(no_args_is_help=True, help="Mails to people: what could not be sent, and why.", epilog=EXITS)
Service = Annotated[str, typer.Argument(help="one service; all of this machine if none is named")]
T = TypeVar("T")


async def _at(settings: ServiceSettings, act: Callable[[AsyncConnection], Awaitable[T]]) -> T | None:
    """In one transaction of the service's database; None for one that sends no mail."""
    try:
        password = (await Vault.of(settings).kv(f"{settings.service}/database"))["password"]
    except NotFoundError:
        return None
    engine = make_engine(database_url(settings, password))
    try:
        async with engine.begin() as connection:
            return await act(connection)
    except ProgrammingError:  # no such table
        return None
    except (OSError, OperationalError):
        raise UnavailableError("the database is away") from None
    finally:
        await engine.dispose()


@app.command("list")
def list_mails(service: Service = "", as_json: Json = False) -> None:
    """What was given up, or failed and is tried again.

    Which, about whom (a pseudonym), how often and why; never to whom it goes or what it says."""

    async def found() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for one in services(service):
            mails = await _at(settings_of(one), queue.listed) or []
            rows += [{"service": one, **{name: _shown(value) for name, value in mail.items()}} for mail in mails]
        return rows

    with told(as_json):
        show(as_json, asyncio.run(found()), empty="No mail is set aside, and none has failed.")


def _shown(value: object) -> object:
    return value if isinstance(value, (int, str)) else "" if value is None else str(value)


@app.command("retry")
def retry_mails(
    service: Annotated[str, typer.Argument(help="whose mails")],
    mail: Annotated[
        int | None, typer.Argument(help="which, as `kept mail list` names it; all that were given up if none")
    ] = None,
    as_json: Json = False,
) -> None:
    """Try mails that were given up again.

    As if for the first time; what has left is not sent twice."""

    async def done() -> int:
        return await _at(settings_of(service), lambda at: queue.retry(at, SystemClock().now(), mail)) or 0

    with told(as_json):
        number = asyncio.run(done())
        say(as_json, {"service": service, "retried": number}, f"{number} of {service}'s mails are tried again.")
