"""`kept backup`: take sets, list them, drill them, restore one. Speaks HTTP with the service, as the person who signs in.

The token comes from KEPT_TOKEN, else the command asks for e-mail, password and one-time code. Exit codes: 0 done, 1 it failed
or was refused, 3 not reachable.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import httpx
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Backups: take, list, drill, restore.")
Json = Annotated[bool, typer.Option("--json", help="for machines")]
SetId = Annotated[str, typer.Argument(help="a set, e.g. bak_019ab3c0…; `newest` for the newest whole one")]
WAIT_SECONDS_MAX = 3600
POLL_SECONDS = 0.5
REQUEST_SECONDS_MAX = 30
out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False)


def _fail(line: str, code: int = 1) -> NoReturn:
    err.print(line, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)


class Client:
    """The service, as somebody."""

    def __init__(self) -> None:
        origin = os.environ.get("KEPT_PUBLIC_ORIGIN", "http://localhost:8080")
        self._http = httpx.Client(base_url=origin, timeout=REQUEST_SECONDS_MAX)
        token = os.environ.get("KEPT_TOKEN") or self._sign_in()
        self._http.headers["Authorization"] = f"Bearer {token}"

    def _sign_in(self) -> str:
        typed = {
            "email": typer.prompt("e-mail", err=True),
            "password": typer.prompt("password", hide_input=True, err=True),
            "code": typer.prompt("one-time code", err=True),
        }
        return str(self.ask("POST", "/api/identity/sessions", typed)["token"])

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            _fail(f"Kept is not reachable at {self._http.base_url}: {type(error).__name__}", 3)
        if answer.is_error:
            _fail(_problem(answer))
        found: dict[str, Any] = answer.json()
        return found

    def until(self, path: str, busy: str, tell: Callable[[], None]) -> dict[str, Any]:
        """Asks `path` until its state is another than `busy`."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while (found := self.ask("GET", path))["state"] == busy:
            if time.monotonic() > deadline:
                _fail(f"still {busy} after {WAIT_SECONDS_MAX} s; it goes on in the service")
            tell()
            time.sleep(POLL_SECONDS)
        return found

    def newest(self, backup_id: str) -> str:
        """`backup_id`, or the newest whole set for `newest`."""
        if backup_id != "newest":
            return backup_id
        whole = [one for one in self.ask("GET", "/api/backup/sets")["items"] if one["state"] in ("taken", "drilled")]
        if not whole:
            _fail("there is no whole set yet; `kept backup run` takes one")
        return str(whole[0]["id"])


def _problem(answer: httpx.Response) -> str:
    try:
        said = answer.json()
        return f"{said.get('title', 'refused')}: {said.get('detail', '')}".rstrip(": ")
    except (ValueError, AttributeError):
        return f"refused with status {answer.status_code}"


def _wait(client: Client, path: str, busy: str, word: str, quiet: bool) -> dict[str, Any]:
    if quiet:
        return client.until(path, busy, lambda: None)
    began = time.monotonic()
    with err.status(word) as shown:
        return client.until(path, busy, lambda: shown.update(f"{word} {time.monotonic() - began:.0f} s"))


@app.command()
def run(as_json: Json = False) -> None:
    """Take a set of every database now, and wait until it is whole."""
    client = Client()
    begun = client.ask("POST", "/api/backup/sets")
    done = _wait(client, f"/api/backup/sets/{begun['id']}", "taking", "taking a set", as_json)
    if as_json:
        typer.echo(json.dumps(done))
    elif done["state"] == "failed":
        _fail(f"{done['id']} failed: {done['failure']}")
    else:
        out.print(f"{done['id']} taken: {done['bytes'] / 1048576:.1f} MiB in {done['parts']} parts. Drill it to count it.")
    raise typer.Exit(1 if done["state"] == "failed" else 0)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The newest sets and drills."""
    client = Client()
    found = {name: client.ask("GET", f"/api/backup/{name}")["items"] for name in ("sets", "drills")}
    if as_json:
        typer.echo(json.dumps(found))
        return
    drills = {one["backup_id"]: one for one in reversed(found["drills"])}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("set", "state", "started", "MiB", "last drill"):
        table.add_column(title, justify="right" if title == "MiB" else "left")
    for one in found["sets"]:
        size = f"{one['bytes'] / 1048576:.1f}" if one["bytes"] else ""
        drilled = drills.get(one["id"])
        table.add_row(one["id"], one["state"], one["started"][:16], size, drilled["state"] if drilled else "never")
    out.print(table if found["sets"] else "No sets yet; `kept backup run` takes one.")


@app.command()
def drill(backup_id: SetId = "newest", as_json: Json = False) -> None:
    """Restore a set into a scratch place, check it, and throw the place away."""
    client = Client()
    begun = client.ask("POST", "/api/backup/drills", {"backup_id": client.newest(backup_id)})
    done = _wait(client, f"/api/backup/drills/{begun['id']}", "running", "drilling", as_json)
    if as_json:
        typer.echo(json.dumps(done))
    else:
        for check in done["checks"]:
            mark = "[green]✓[/]" if check["passed"] else "[red]✗[/]"
            out.print(f"  {mark} {check['name']:<22} {check['says']}")
        erased = done["erasures"] or 0
        out.print(f"{done['id']} [bold]{done['state']}[/]: {done['backup_id']}, {erased} erasures replayed")
    raise typer.Exit(0 if done["state"] == "passed" else 1)


@app.command()
def restore(
    backup_id: SetId,
    grant: Annotated[str, typer.Option(envvar="KEPT_GRANT", help="from identity, after two people agreed")],
    as_json: Json = False,
) -> None:
    """Restore a drilled set for real, into a new directory of the service, with every erasure replayed."""
    client = Client()
    begun = client.ask("POST", "/api/backup/restores", {"backup_id": client.newest(backup_id), "grant": grant})
    done = _wait(client, f"/api/backup/restores/{begun['id']}", "running", "restoring", as_json)
    if as_json:
        typer.echo(json.dumps(done))
    elif done["state"] == "failed":
        _fail(f"{done['id']} failed: {done['failure']}")
    else:
        out.print(
            f"{done['id']}: restored into {done['directory']} of the service's state, {done['erasures']} erasures replayed."
        )
    raise typer.Exit(1 if done["state"] == "failed" else 0)
