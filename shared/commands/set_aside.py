"""`kept set-aside`: what the loops of a service could not do, with the service's own settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cli import EXITS, Json, say, show, told
from shared.cli import listed as listed_lines
from shared.clock import SystemClock, rfc3339
from shared.db import database_url, make_engine
from shared.errors import NotFoundError, UnavailableError
from shared.installed import services, settings_of
from shared.keys.vault import Vault
from shared.loops.aside import Aside, listed, retry

app = typer.Typer(no_args_is_help=True, help="Items that a service's loops could not do.", epilog=EXITS)
Service = Annotated[str, typer.Argument(help="identity, customers, audit, backup, or dsar")]
Optionally = Annotated[str, typer.Argument(help="one service; all of this machine if none is named")]
Loop = Annotated[str, typer.Argument(help="as `kept set-aside list` names it")]


@asynccontextmanager
async def _database(service: str) -> AsyncIterator[AsyncConnection | None]:
    """One transaction on the service's database; None for a foreign system, which has none of ours."""
    settings = settings_of(service)
    try:
        password = (await Vault.of(settings).kv(f"{service}/database"))["password"]
    except NotFoundError:
        yield None
        return
    engine = make_engine(database_url(settings, password))
    try:
        async with engine.begin() as connection:
            yield connection
    except (OSError, OperationalError):
        raise UnavailableError("the database is away") from None
    finally:
        await engine.dispose()


def _about(service: str, aside: Aside) -> dict[str, object]:
    return {
        "service": service,
        "loop": aside.loop,
        "item": aside.item,
        "reason": aside.reason,
        "tries": aside.tries,
        "first": rfc3339(aside.first_at),
        "last": rfc3339(aside.last_at),
        "again": "by hand" if aside.next_try_at is None else rfc3339(aside.next_try_at),
    }


@app.command("list")
def list_items(service: Optionally = "", as_json: Json = False) -> None:
    """What could not be done, why, and when again. All else was done."""

    async def found() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for one in services(service):
            async with _database(one) as connection:
                rows += [_about(one, aside) for aside in await listed(connection)] if connection is not None else []
        return rows

    with told(as_json):
        show(as_json, asyncio.run(found()), empty="Nothing is set aside.")


@app.command("show")
def show_item(
    service: Service, loop: Loop, item: Annotated[str, typer.Argument(help="likewise")], as_json: Json = False
) -> None:
    """One item: since when, how often it was tried, and why it failed."""

    async def found() -> dict[str, object]:
        async with _database(service) as connection:
            rows = [] if connection is None else await listed(connection, loop)
        for one in rows:
            if one.item == item:
                return _about(service, one)
        raise NotFoundError("no such item is set aside")

    with told(as_json):
        about = asyncio.run(found())
        say(as_json, about, listed_lines(about))


@app.command("retry")
def retry_items(
    service: Service,
    loop: Annotated[str, typer.Argument(help="which loop; all of them if none is named")] = "",
    item: Annotated[str, typer.Argument(help="which item; all of the loop's if none is named")] = "",
    as_json: Json = False,
) -> None:
    """Have items tried in the loop's next round, as for the first time."""

    async def done() -> int:
        async with _database(service) as connection:
            if connection is None:
                raise NotFoundError(f"{service} has no database of ours")
            return await retry(connection, SystemClock().now(), loop, item)

    with told(as_json):
        number = asyncio.run(done())
        say(as_json, {"service": service, "retried": number}, f"{number} of {service}'s items are tried again.")
