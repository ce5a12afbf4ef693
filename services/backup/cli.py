"""`kept backup`: take sets, list them, drill them, restore one. Speaks HTTP with the service, as the person who signs in."""

import sys
import time
from typing import Annotated, Any

import httpx
import typer

from shared.cli import ORIGIN, REFUSED, Json, Origin, columns, echo, lay_out, say, told
from shared.errors import NotFoundError, UnavailableError
from shared.http.client import ask, signed_in

FAILED = "Exit codes: 0 done, 1 it failed or was refused, 2 wrong usage, 3 a part is away (try again)."
app = typer.Typer(no_args_is_help=True, help="Backups: take, list, drill, restore.", epilog=FAILED)
SetId = Annotated[str, typer.Argument(help="a set, e.g. bak_019ab3c0…; `newest` for the newest whole one")]
WAIT_SECONDS_MAX = 3600
POLL_SECONDS = 0.5
REQUEST_SECONDS_MAX = 30


def _found(http: httpx.Client, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = ask(http, method, f"/api/backup/{path}", json=body, timeout=REQUEST_SECONDS_MAX).json()
    return answer


def _until_done(http: httpx.Client, path: str, busy: str, word: str, quiet: bool) -> dict[str, Any]:
    """Asks `path` until its state is another than `busy`; on a terminal it says how long already."""
    began, shown = time.monotonic(), not quiet and sys.stderr.isatty()
    while (found := _found(http, "GET", path))["state"] == busy:
        waited = time.monotonic() - began
        if waited > WAIT_SECONDS_MAX:
            raise UnavailableError(f"still {busy} after {WAIT_SECONDS_MAX} s; it goes on in the service")
        if shown:
            typer.echo(f"\r{word} {waited:.0f} s", nl=False, err=True)
        time.sleep(POLL_SECONDS)
    if shown:
        typer.echo("\r\033[K", nl=False, err=True)
    return found


def _newest(http: httpx.Client, backup_id: str) -> str:
    """`backup_id`, or the newest whole set for `newest`."""
    if backup_id != "newest":
        return backup_id
    whole = [one for one in _found(http, "GET", "sets")["items"] if one["state"] in ("taken", "drilled")]
    if not whole:
        raise NotFoundError("there is no whole set yet; `kept backup run` takes one")
    return str(whole[0]["id"])


def _again(people: int | None) -> str:
    return f"{people or 0} {'person' if people == 1 else 'people'} erased again"


WHY = {
    "erased_since": "erased after the newest drilled set, so not on its list of the forgotten: an old file brings them back",
    "unlisted": "without a key in the newest drilled set, and no erasure is known: take and drill a newer set, and look again",
}


def _left_out(done: dict[str, Any]) -> list[str]:
    """Of a set from before the horizon, who has no key any more."""
    found = done["left_out"]
    if not found:
        return []
    people = found["erased_since"] + found["unlisted"]
    lines = [f"  left out: {people} {'person' if people == 1 else 'people'}; the keys are those of the newest drilled set"]
    lines += [f"    {one['subject']} ({', '.join(one['holders'])}): {WHY[one['why']]}" for one in found["people"]]
    more = people - len(found["people"])
    return [*lines, f"    and {more} more"] if more else lines


def _ended(done: dict[str, Any], as_json: bool, line: str) -> None:
    """What became of it, and its exit code."""
    if done["state"] == "failed" and not as_json:
        echo(line, err=True)
    else:
        say(as_json, done, line)
    raise typer.Exit(REFUSED if done["state"] == "failed" else 0)


@app.command()
def run(origin: Origin = ORIGIN, as_json: Json = False) -> None:
    """Take a set of every database now, and wait until it is whole.

    Signed in by KEPT_TOKEN (kept identity sign-in), or asks."""
    with told(as_json), signed_in(origin) as http:
        begun = _found(http, "POST", "sets")
        done = _until_done(http, f"sets/{begun['id']}", "taking", "taking a set", as_json)
    line = f"{done['id']} failed: {done['failure']}"
    if done["state"] != "failed":
        size = f"{done['bytes'] / 1048576:.1f} MiB in {done['parts']} parts"
        line = f"{done['id']} taken: {size}. It counts once it was restored on trial: kept backup drill {done['id']}"
    _ended(done, as_json, line)


@app.command("list")
def list_(origin: Origin = ORIGIN, as_json: Json = False) -> None:
    """The newest sets, and how the last drill of each ended."""
    with told(as_json), signed_in(origin) as http:
        found = {name: _found(http, "GET", name)["items"] for name in ("sets", "drills")}
    if as_json or not found["sets"]:
        say(as_json, found, "No sets yet; `kept backup run` takes one.")
        return
    drills = {one["backup_id"]: one for one in reversed(found["drills"])}
    table = columns("set", "state", "started (UTC)", "MiB", "last drill", right=["MiB"])
    table.columns[0].no_wrap = True
    for one in found["sets"]:
        size = f"{one['bytes'] / 1048576:.1f}" if one["bytes"] else ""
        drilled = drills.get(one["id"])
        started = one["started"][:16].replace("T", " ")
        table.add_row(one["id"], one["state"], started, size, drilled["state"] if drilled else "never")
    lay_out(table)


@app.command()
def drill(backup_id: SetId = "newest", origin: Origin = ORIGIN, as_json: Json = False) -> None:
    """Restore a set on trial: into a scratch place, check, throw away.

    Only then does it count as a backup."""
    with told(as_json), signed_in(origin) as http:
        begun = _found(http, "POST", "drills", {"backup_id": _newest(http, backup_id)})
        done = _until_done(http, f"drills/{begun['id']}", "running", "drilling", as_json)
    if not as_json:
        for check in done["checks"]:
            echo(f"  {'✓' if check['passed'] else '✗'} {check['name']:<22} {check['says']}")
        for text in _left_out(done):
            echo(text)
    say(as_json, done, f"{done['id']} {done['state']}: {done['backup_id']}, {_again(done['erasures'])}")
    raise typer.Exit(0 if done["state"] == "passed" else REFUSED)


@app.command()
def restore(
    backup_id: SetId,
    grant: Annotated[str, typer.Option(envvar="KEPT_GRANT", help="of identity, after two others agreed")],
    origin: Origin = ORIGIN,
    as_json: Json = False,
) -> None:
    """Restore a drilled set for real, with every erasure replayed.

    It goes into a new directory of the service's state; nothing that runs is touched. Needs a grant:
    POST /api/identity/approvals asks for one, two others agree at /approvals, GET /api/identity/approvals/<id>/grant gives it
    (docs/runbooks/restore.md)."""
    with told(as_json), signed_in(origin) as http:
        begun = _found(http, "POST", "restores", {"backup_id": _newest(http, backup_id), "grant": grant})
        done = _until_done(http, f"restores/{begun['id']}", "running", "restoring", as_json)
    line = f"{done['id']} failed: {done['failure']}"
    if done["state"] != "failed":
        line = f"{done['id']}: restored into {done['directory']} of the service's state, {_again(done['erasures'])}."
        line = "\n".join([line, *_left_out(done)])
    _ended(done, as_json, line)
