"""`kept dlq`: dead letters, with the service's own settings."""

import asyncio
from typing import Annotated

import typer

from shared.bus import dlq as letters
from shared.bus.broker import BrokerSettings
from shared.cli import EXITS, Json, listed, say, show, told
from shared.installed import services, settings_of
from shared.keys.vault import Vault
from shared.settings import ServiceSettings

app = typer.Typer(no_args_is_help=True, help="Dead letters: what a service could not handle.", epilog=EXITS)
Service = Annotated[str, typer.Argument(help="identity, customers, audit, backup, dsar, or another holder")]
Optionally = Annotated[str, typer.Argument(help="one service; all of this machine if none is named")]


async def _broker(settings: ServiceSettings) -> BrokerSettings:
    vault = Vault.of(settings)
    return BrokerSettings.of(settings, (await vault.kv(f"{settings.service}/kafka"))["password"])


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


@app.command("list")
def list_letters(service: Optionally = "", as_json: Json = False) -> None:
    """What could not be handled, and why. `kept dlq replay` hands it to the service again."""

    async def found() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for one in services(service):
            broker = await _broker(settings_of(one))
            rows += [_about(one, letter) for letter in await letters.letters(broker, one)]
        return rows

    with told(as_json):
        show(as_json, asyncio.run(found()), empty="No dead letters.")


@app.command("show")
def show_letter(
    service: Service, letter: Annotated[str, typer.Argument(help="as `kept dlq list` names it")], as_json: Json = False
) -> None:
    """One letter: where it came from and why it died; not what it says."""

    async def found() -> dict[str, object]:
        return _about(service, await letters.show(await _broker(settings_of(service)), service, letter))

    with told(as_json):
        about = asyncio.run(found())
        say(as_json, about, listed(about))


@app.command("replay")
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
