"""What every command line of Kept shares.

    with told(as_json):
        say(as_json, {"replayed": n}, f"{n} letters go to {service} again.")

What was asked for goes to the standard output, and nothing else does: errors and progress go to stderr. One error is one line
(with --json: one object). Exit codes: 0 done, 1 refused or faulty, 2 wrong usage, 3 a part is away (try again).
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from shared.errors import KeptError, UnavailableError

if TYPE_CHECKING:
    from rich.table import Table

REFUSED, AWAY = 1, 3
EXITS = "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 a part is away (try again)."
PIPE_COLUMNS = 10_000  # nothing wraps where no eye reads
Json = Annotated[bool, typer.Option("--json", help="for machines")]
Origin = Annotated[str, typer.Option(help="where Kept is", envvar="KEPT_ORIGIN")]
ORIGIN = "http://localhost:8080"


def say(as_json: bool, record: object, line: str) -> None:
    """The result: an object for machines, or a sentence."""
    typer.echo(json.dumps(record, ensure_ascii=False) if as_json else line)


def say_error(as_json: bool, code: str, detail: str) -> None:
    """What went wrong, on stderr: with --json an object whose `code` is stable."""
    typer.echo(json.dumps({"error": detail, "code": code}) if as_json else f"{code}: {detail}", err=True)


def show(as_json: bool, rows: Sequence[Mapping[str, object]], *, empty: str) -> None:
    """Rows as a table under their names, or as a list of objects."""
    if as_json:
        typer.echo(json.dumps(list(rows), ensure_ascii=False))
    elif not rows:
        typer.echo(empty)
    else:
        table = columns(*rows[0], right=[name for name, value in rows[0].items() if type(value) is int])
        for row in rows:
            table.add_row(*(_cell(value) for value in row.values()))
        lay_out(table, markup=False)


def _cell(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def columns(*titles: str, right: Sequence[str] = ()) -> "Table":
    """An empty table in the house's looks; numbers stand `right`."""
    from rich.table import Table  # a tenth of a second, which commands without a table do not pay

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", overflow="fold")
    return table


def lay_out(table: "Table", *, markup: bool = True) -> None:
    """A table as wide as the terminal; in a pipe or a file one line a row, with nothing at its end."""
    from rich.console import Console

    console = Console(highlight=False, markup=markup)
    if console.is_terminal:
        console.print(table)
        return
    text = io.StringIO()
    Console(file=text, width=PIPE_COLUMNS, highlight=False, markup=markup).print(table)
    for line in text.getvalue().splitlines():
        typer.echo(line.rstrip())


@contextmanager
def told(as_json: bool) -> Iterator[None]:
    """Errors as one line and an exit code."""
    try:
        yield
    except KeptError as error:
        say_error(as_json, error.code, error.detail)
        raise typer.Exit(AWAY if isinstance(error, UnavailableError) else REFUSED) from None
