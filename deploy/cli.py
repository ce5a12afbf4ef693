"""`kept`: start, stop and look at the platform; and, under each service's name, what that service offers.

Every command takes --json. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 not ready, 5 port taken,
6 program missing, 7 state broken, 8 already running.
"""

import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import control, environment
from deploy.local import ports as port_file
from deploy.local.catalog import SERVICES
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import State
from deploy.local.status import Row, look

app = typer.Typer(
    name="kept", no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    help="Customer records, with the promises made to the people in them kept and provable.",
)  # fmt: skip
demo_app = typer.Typer(help="Tell the whole story on the Chinook data, and leave the platform running.")
app.add_typer(demo_app, name="demo", invoke_without_command=True)
Json = Annotated[bool, typer.Option("--json", help="for machines")]
out, err = Console(highlight=False), Console(stderr=True, highlight=False)
MARKS = {"ready": "[green]●[/]", "starting": "[yellow]●[/]", "waiting": "[yellow]○[/]", "stopped": "[dim]○[/]"}


def say_ports(state: State, as_json: bool) -> None:
    origin = f"http://localhost:{port_file.load(state).get('gateway', 0)}"
    if as_json:
        typer.echo(json.dumps({"ready": True, "origin": origin, "state": str(state.root)}))
    else:
        out.print(f"Kept is ready at [bold]{origin}[/]  (stop it: kept down)")


class Progress:
    """One line per part, when it becomes ready or says what it waits for too long."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._said, self._began = quiet, dict[str, str](), time.monotonic()

    def __call__(self, part: Mapping[str, Any]) -> None:
        name, state = str(part["name"]), str(part["state"])
        if self._quiet or self._said.get(name) == state or state not in ("ready", "restarting"):
            return
        self._said[name] = state
        what = "ready" if state == "ready" else f"restarting: {part['waits_for']}"
        note = f"  [yellow]{part['note']}[/]" if part.get("note") else ""
        mark = MARKS.get(state, "[red]●[/]")
        out.print(f"  {mark} {name:<10} {what} [dim]{time.monotonic() - self._began:.1f} s[/]{note}", soft_wrap=True)


@app.command()
def up(as_json: Json = False) -> None:
    """Start the whole platform on this machine and wait until it is ready."""
    state = State.find()
    control.start(state, only_servers=False, progress=Progress(as_json))
    say_ports(state, as_json)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop it. State stays where it is, and the next start finds it as it was left."""
    stopped = control.stop(State.find())
    if as_json:
        typer.echo(json.dumps({"stopped": stopped}))
    else:
        out.print("Stopped; the state stays." if stopped else "Nothing was running.")


@app.command()
def status(as_json: Json = False) -> None:
    """Every part: its health, port, process, memory, and what it waits for. Exit 0 only when all are ready."""
    state = State.find()
    rows = look(state)
    ready = bool(rows) and all(row.state == "ready" for row in rows)
    if as_json:
        total = sum(row.memory_mb for row in rows)
        record = {"ready": ready, "state": str(state.root), "memory_mb": total, "parts": [vars(row) for row in rows]}
        typer.echo(json.dumps(record, indent=1))
    elif rows:
        out.print(_table(rows))
    if not rows:
        raise PlatformError("not running; `kept up` starts it", Exit.NOT_RUNNING)
    if not ready:
        raise typer.Exit(Exit.NOT_READY)


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("part", "", "port", "pid", "memory", "up", "starts", ""):
        table.add_column(title, justify="right" if title in ("port", "pid", "memory", "up", "starts") else "left")
    for row in rows:
        said = row.note if row.state == "ready" else row.waits_for
        mark = f"{MARKS.get(row.state, '[red]●[/]')} {row.state}"
        cells = (row.port, row.pid, f"{row.memory_mb} MB" if row.memory_mb else "", _since(row.up_seconds), row.starts)
        table.add_row(row.name, mark, *(str(cell) if cell else "" for cell in cells), said)
    table.add_row("", "", "", "", f"[bold]{sum(row.memory_mb for row in rows)} MB[/]", "", "", "")
    return table


def _since(seconds: int) -> str:
    if not seconds:
        return ""
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min" if seconds < 6000 else f"{seconds // 3600} h"


@demo_app.callback()
def demo(context: typer.Context, as_json: Json = False) -> None:
    """Tell the whole story on the Chinook data, and leave the platform running."""
    if context.invoked_subcommand is not None:
        return
    from deploy.local.demo import tell  # the story needs much that the other commands do not

    state = State.find()
    if not control.running(state):
        if not as_json:
            out.print("Starting the platform (the first time fetches Apache Kafka).")
        control.start(state, only_servers=False, progress=Progress(as_json))
    raise typer.Exit(tell(state, as_json))


@demo_app.command()
def code(name: Annotated[str, typer.Argument(help="first name, e.g. jane")], as_json: Json = False) -> None:
    """How one of the made-up staff signs in now: address, password, one-time code."""
    from deploy.local.staff import credentials

    found = credentials(State.find(), name.lower())
    if as_json:
        typer.echo(json.dumps(found))
    else:
        out.print(f"e-mail    {found['email']}\npassword  {found['password']}", markup=False)
        out.print(f"code      [bold]{found['code']}[/]  [dim](for {found['seconds_left']} s more)[/]")


# -- the services' own parts ------------------------------------------------------------------------------------------


def attach() -> None:
    """Each service's commands, and the kernel's, where they are there."""
    for name in SERVICES:
        _attach(f"services.{name}.cli", {"app": name})
    _attach("shared.cli", {"keys": "keys", "dlq": "dlq", "keys_app": "keys", "dlq_app": "dlq"})


def _attach(module_name: str, names: Mapping[str, str]) -> None:
    if importlib.util.find_spec(module_name) is None:
        return
    module = importlib.import_module(module_name)
    for attribute, command in names.items():
        found = getattr(module, attribute, None)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=command)


def _environment(state: State, words: list[str]) -> None:
    """A service's command runs with that service's settings, against this installation; what is set already stays."""
    found = environment.read(state, words[0]) if words and words[0] in SERVICES else {}
    found["KEPT_STATE"] = str(state.root)
    if port := port_file.load(state).get("gateway"):
        found["KEPT_ORIGIN"] = f"http://localhost:{port}"
    for key, value in found.items():
        os.environ.setdefault(key, value)


def main() -> None:
    """The way in: one line for what a person can do something about, never a traceback for it."""
    words = sys.argv[1:]
    try:
        _environment(State.find(), words)
        attach()
        app()
    except PlatformError as error:
        if "--json" in words:
            typer.echo(json.dumps({"error": error.line, "exit_code": int(error.exit_code)}))
        else:
            err.print(error.line, style="red", markup=False, soft_wrap=True)
        sys.exit(int(error.exit_code))


if __name__ == "__main__":
    main()
