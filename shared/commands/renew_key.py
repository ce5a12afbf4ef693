"""`kept <service> renew-key`: one person's data key is renewed, by who operates Kept, with the service's own settings."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from shared.cli import Json, say, told

if TYPE_CHECKING:
    from shared.db import KernelTables
    from shared.work import Work

RenewKey = Callable[["Work", str], Awaitable[int]]
Parts = tuple["KernelTables", RenewKey]  # of a service: its tables, and what renews the key
HELP = """Renew one {whose} key: {what} is sealed anew.

Where somebody may know the key who should not. By who operates Kept, with the service's own settings. Events of before stay
under the version before, until {until}."""


def add(app: typer.Typer, service: str, whose: str, parts: Callable[[], Parts], *, what: str, until: str, example: str) -> None:
    """The command, in the service's group. `parts`: imports what it takes, when it is called and not for a help text."""

    @app.command("renew-key", help=HELP.format(whose=whose, what=what, until=until))
    def renew_key(
        subject: Annotated[str, typer.Argument(help=f"the {whose} id, {example}")],
        as_json: Json = False,
    ) -> None:
        with told(as_json):
            version = asyncio.run(_renewed(service, subject, *parts()))
            say(as_json, {"subject": subject, "key_version": version}, f"Sealed anew under version {version} of the key.")


async def _renewed(service: str, subject: str, tables: "KernelTables", renew: RenewKey) -> int:
    from shared.access.actor import Actor  # the whole kernel, which takes seconds
    from shared.installed import ground_now, settings_of

    base = await ground_now(settings_of(service), tables)
    try:
        async with base.door.begin(Actor.system(service), "upkeep") as w:
            return await renew(w, subject)
    finally:
        await base.engine.dispose()
