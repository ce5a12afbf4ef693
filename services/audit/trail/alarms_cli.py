"""`kept audit alarms list|ack`: through the HTTP API, signed in, as the page does."""

from typing import Annotated

import httpx
import typer

from shared.cli import EXITS, ORIGIN, Json, Origin, emit, say, show, told
from shared.http.client import away, checked, signed_in

app = typer.Typer(help="Alarms: what happened, what to do, who saw to it.", no_args_is_help=True, epilog=EXITS)


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="those too that were acknowledged")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="how many")] = 50,
    origin: Origin = ORIGIN,
    as_json: Json = False,
) -> None:
    """Alarms that nobody has acknowledged, newest first. Signed in by KEPT_TOKEN, or asks."""
    asked = {"all": str(everything).lower(), "limit": str(limit)}
    with told(as_json), signed_in(origin) as http:
        try:
            found = checked(http.get("/api/audit/alarms", params=asked)).json()["items"]
        except httpx.HTTPError:
            raise away(http) from None
    if as_json:
        emit(found)
        return
    rows = [
        {
            "id": one["id"],
            "raised (UTC)": one["raised"][:19].replace("T", " "),
            "where": one["where"],
            "what": one["says"],
            "what to do": one["what_to_do"],
            **({"acknowledged": (one["acknowledged"] or {}).get("reason", "no")} if everything else {}),
        }
        for one in found
    ]
    show(False, rows, empty="No alarm is open." if not everything else "There was no alarm yet.")


@app.command()
def ack(
    alarm: Annotated[str, typer.Argument(help="its id, as `list` shows it")],
    reason: Annotated[str, typer.Option(help="planned, repaired, harmless or incident")],
    reference: Annotated[str, typer.Option(help="a ticket, such as OPS-1234")] = "",
    origin: Origin = ORIGIN,
    as_json: Json = False,
) -> None:
    """Say that you have seen to an alarm, and why it can be put aside. An event tells of it under your name."""
    with told(as_json), signed_in(origin) as http:
        try:
            body = {"reason": reason, "reference": reference}
            done = checked(http.post(f"/api/audit/alarms/{alarm}/acknowledge", json=body)).json()
        except httpx.HTTPError:
            raise away(http) from None
    say(as_json, done, f"{alarm}: acknowledged as {reason}.")
