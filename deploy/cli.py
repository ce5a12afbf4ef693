"""`kept`: start, stop and look at the platform; and, under each service's name, what that service offers.

Every command takes --json. What was asked for goes to the standard output, errors to stderr.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.groups import GROUPS, attach, command, new
from deploy.local import control, environment
from deploy.local import ports as port_file
from deploy.local.catalog import SERVICES
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import State
from deploy.local.status import Look, Row, look
from shared.cli import Json, columns, console, lay_out, say, say_error

EXITS = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 not ready, 5 port taken, 6 program missing, 7 state broken, "
    "8 already running."
)
app = new(
    name="kept", no_args_is_help=True, epilog=EXITS,
    help="Customer records, with the promises made to the people in them kept and provable.",
)  # fmt: skip
demo_app = new(help="Tell the whole story on the Chinook data; leave it running.", subcommand_metavar="[COMMAND]")
app.add_typer(demo_app, name="demo", invoke_without_command=True)
MARKS = {"ready": "[green]●[/]", "starting": "[yellow]●[/]", "waiting": "[yellow]○[/]", "stopped": "[dim]○[/]"}


def said(text: str) -> None:
    """A line in rich's markup, of whatever width."""
    console(soft_wrap=True).print(text)


def say_ready(state: State, as_json: bool) -> None:
    origin = f"http://localhost:{port_file.load(state).get('gateway', 0)}"
    if as_json:
        typer.echo(json.dumps({"ready": True, "origin": origin, "state": str(state.root)}))
    else:
        said(f"Kept is ready at [bold]{origin}[/]. Next: `kept status` shows every part, `kept down` stops it.")


class Progress:
    """One line per part, when it becomes ready or says what it waits for too long."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._said, self._began = quiet, dict[str, str](), time.monotonic()

    def __call__(self, part: Mapping[str, Any]) -> None:
        name, state = str(part["name"]), str(part["state"])
        if self._quiet or self._said.get(name) == state or state not in ("ready", "restarting"):
            return
        self._said[name] = state
        what = "ready" if state == "ready" else f"restarting: {_plain(str(part['waits_for']))}"
        note = f"  [yellow]{_plain(str(part['note']))}[/]" if part.get("note") else ""
        said(f"  {MARKS.get(state, '[red]●[/]')} {name:<10} {what} [dim]{time.monotonic() - self._began:.1f} s[/]{note}")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")  # brackets are rich's own


@app.command()
def up(
    twice: Annotated[bool, typer.Option("--twice", help="two processes of each service, side by side")] = False,
    as_json: Json = False,
) -> None:
    """Start the whole platform here, and wait until it is ready."""
    state = State.find()
    control.start(state, only_servers=False, twice=twice, progress=Progress(as_json))
    say_ready(state, as_json)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop it; the next start finds all as it was left."""
    state = State.find()
    stopped = control.stop(state)
    say(as_json, {"stopped": stopped}, f"Stopped; the state stays in {state.root}." if stopped else "Nothing was running.")


@app.command(epilog="Exit codes: 0 every part is ready, 3 nothing runs, 4 some part is not ready.")
def status(as_json: Json = False) -> None:
    """Every part: health, port, memory, and what it waits for."""
    state = State.find()
    found = look(state)
    if as_json:
        parts = [vars(row) for row in found.rows]
        record = {"ready": found.ready, "supervisor": found.supervisor, "state": str(state.root)}
        typer.echo(json.dumps(record | {"memory_mb": found.memory_mb, "parts": parts}, indent=1))
    elif found.rows:
        _show(found)
    if not found.rows:
        if as_json:
            raise typer.Exit(Exit.NOT_RUNNING)
        raise PlatformError("not running; `kept up` starts it", Exit.NOT_RUNNING)
    if not found.ready:
        raise typer.Exit(Exit.NOT_READY)


def _show(found: Look) -> None:
    numbers = ("port", "pid", "memory", "up", "starts")
    table = columns("part", "", *numbers, "", right=numbers)
    for row in found.rows:
        table.add_row(*_cells(row))
    table.add_row("", "", "", "", f"[bold]{found.memory_mb} MB[/]", "", "", "")
    lay_out(table)
    if found.supervisor == "paused":
        typer.echo("The supervisor is paused: nothing that ends is started again until it goes on (kill -CONT).", err=True)
    elif found.supervisor == "gone":
        typer.echo("The supervisor is gone, and nobody watches what still runs. `kept up` starts all of it anew, "
                   "`kept down` stops it; nothing is lost either way.", err=True)  # fmt: skip


def _cells(row: Row) -> list[str]:
    mark = f"{MARKS.get(row.state, '[red]●[/]')} {row.state}"
    numbers = (row.port, row.pid, f"{row.memory_mb} MB" if row.memory_mb else "", _since(row.up_seconds), row.starts)
    return [row.name, mark, *(str(one) if one else "" for one in numbers), _plain(row.waits_for or row.note)]


def _since(seconds: int) -> str:
    if not seconds:
        return ""
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min" if seconds < 6000 else f"{seconds // 3600} h"


@demo_app.callback()
def demo(context: typer.Context, as_json: Json = False) -> None:
    """Tell the whole story on the Chinook data; leave it running."""
    if context.invoked_subcommand is not None:
        return
    from deploy.local.demo import tell  # the story needs much that the other commands do not

    state = State.find()
    if not control.running(state):
        if not as_json:
            said("Starting the platform (the first time fetches Apache Kafka).")
        control.start(state, only_servers=False, progress=Progress(as_json))
    raise typer.Exit(tell(state, as_json))


@demo_app.command()
def code(name: Annotated[str, typer.Argument(help="first name, e.g. jane")], as_json: Json = False) -> None:
    """How one of the made-up staff signs in at this moment.

    E-mail address, password and one-time code: all made up, and shown because you asked."""
    from deploy.local.staff import credentials

    found = credentials(State.find(), name.lower())
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"e-mail    {found['email']}\npassword  {found['password']}")
        said(f"code      [bold]{found['code']}[/]  [dim](for {found['seconds_left']} s more; each code signs in once)[/]")


# -- the services' own parts ------------------------------------------------------------------------------------------

attach(app)


def _environment(state: State, words: list[str]) -> None:
    """A service's command runs with that service's settings, against this installation; what is set already stays."""
    found = environment.read(state, words[0]) if words[0] in SERVICES else {}
    found["KEPT_STATE"] = str(state.root)
    if port := port_file.load(state).get("gateway"):
        found["KEPT_ORIGIN"] = f"http://localhost:{port}"
    for key, value in found.items():
        os.environ.setdefault(key, value)


def main() -> None:
    """The way in: one line for what a person can do something about, never a traceback for it."""
    words = sys.argv[1:]
    try:
        if words and words[0] in GROUPS:
            _environment(State.find(), words)
        command(app).main(prog_name="kept")
    except PlatformError as error:
        if "--json" in words:
            say_error(True, error.exit_code.name.lower().replace("_", "-"), error.line)
        else:
            typer.secho(error.line, fg="red", err=True)
        sys.exit(int(error.exit_code))
    except Exception as error:  # our own bug; its text or its frames may hold a person's values
        if "KEPT_TRACEBACK" in os.environ:
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        say_error("--json" in words, "invariant", f"a defect in Kept: {where}; KEPT_TRACEBACK=1 shows all of it")
        sys.exit(int(Exit.FAILED))


if __name__ == "__main__":
    main()
