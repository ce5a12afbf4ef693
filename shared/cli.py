"""What every command line of Kept shares.

    with told(as_json):
        say(as_json, {"replayed": n}, f"{n} letters go to {service} again.")

What was asked for goes to the standard output, and nothing else does: errors and progress go to stderr. One error is one line
(with --json: one object). Exit codes: 0 done, 1 refused or faulty, 2 wrong usage, 3 a part is away (try again).

What others named (ids, topics, types, files) is not ours to trust: an escape sequence in it would act on the terminal, a bidi
control turn the line around, a name of ten thousand characters push the rest away. So all that is written goes through `plain`
here: nobody else calls `typer.echo` or makes a `Console` (a test holds it).
"""

import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.errors import KeptError, UnavailableError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

REFUSED, AWAY = 1, 3
EXITS = "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 a part is away (try again)."
PIPE_COLUMNS = 10_000  # nothing wraps where no eye reads
CELL_CHARS_MAX = 500  # of one value, what to do about an alarm included; --json has it whole
LINE_CHARS_MAX = 4_000  # a post-quantum public key is one line of 1,800
_BEYOND_ASCII = re.compile(r"[^ -~]")
Json = Annotated[bool, typer.Option("--json", help="for machines")]
Origin = Annotated[str, typer.Option(help="where Kept is", envvar="KEPT_ORIGIN")]
ORIGIN = "http://localhost:8080"


def plain(text: str, most: int = LINE_CHARS_MAX) -> str:
    """One line's text: whatever would act on a terminal or not be seen is spelled out (`\\x1b`, `\\u202e`), and what is longer
    than `most` is cut."""
    shown = _BEYOND_ASCII.sub(_spelled, text[: most + 1])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _harmless(one: str) -> bool:
    return one.isprintable() or unicodedata.category(one) == "Zs"


def _spelled(found: re.Match[str]) -> str:
    return found[0] if _harmless(found[0]) else found[0].encode("unicode_escape").decode()


def _json_spelled(found: re.Match[str]) -> str:
    return found[0] if _harmless(found[0]) else json.dumps(found[0])[1:-1]


def machine(record: object) -> str:
    """One line of JSON, which can be looked at in a terminal too."""
    return _BEYOND_ASCII.sub(_json_spelled, json.dumps(record, ensure_ascii=False))


def emit(record: object) -> None:
    """A record for machines, whole."""
    typer.echo(machine(record))


def echo(text: str, *, err: bool = False) -> None:
    """Lines of text."""
    for line in text.split("\n"):
        typer.echo(plain(line), err=err)


def say(as_json: bool, record: object, line: str) -> None:
    """The result: an object for machines, or a sentence."""
    if as_json:
        emit(record)
    else:
        echo(line)


def say_error(as_json: bool, code: str, detail: str) -> None:
    """What went wrong, on stderr: with --json an object whose `code` is stable."""
    typer.echo(machine({"error": detail, "code": code}) if as_json else plain(f"{code}: {detail}"), err=True)


def listed(about: Mapping[str, object]) -> str:
    """Names and values, a line each."""
    width = max(map(len, about), default=0)
    return "\n".join(f"{name:<{width}} {_cell(value)}" for name, value in about.items())


def show(as_json: bool, rows: Sequence[Mapping[str, object]], *, empty: str) -> None:
    """Rows as a table under their names, or as a list of objects."""
    if as_json:
        emit(list(rows))
    elif not rows:
        echo(empty)
    else:
        table = columns(*rows[0], right=[name for name, value in rows[0].items() if type(value) is int])
        for row in rows:
            table.add_row(*(_cell(value) for value in row.values()))
        lay_out(table, markup=False)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {one}" for name, one in value.items())
    return plain(str(value), CELL_CHARS_MAX)


def columns(*titles: str, right: Sequence[str] = ()) -> "Table":
    """An empty table in the house's looks; numbers stand `right`."""
    from rich.table import Table  # a tenth of a second, which commands without a table do not pay

    class Plain(Table):
        """Its cells are plain, whoever fills them."""

        def add_row(self, *cells: Any, **looks: Any) -> None:
            super().add_row(*(plain(one, CELL_CHARS_MAX) if isinstance(one, str) else one for one in cells), **looks)

    table = Plain(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", overflow="fold")
    return table


def console(**looks: Any) -> "Console":
    """Rich's, on which nothing but its own markup acts on the terminal."""
    from rich.console import Console
    from rich.text import Text

    class Plain(Console):
        """Every text that is printed is made plain first."""

        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str("\n".join(plain(line) for line in text.split("\n")), **how)

    return Plain(highlight=False, **looks)


def lay_out(table: "Table", *, markup: bool = True) -> None:
    """A table as wide as the terminal; in a pipe or a file one line a row, with nothing at its end."""
    out = console(markup=markup)
    if out.is_terminal:
        out.print(table)
        return
    text = io.StringIO()
    console(file=text, width=PIPE_COLUMNS, markup=markup).print(table)
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
