"""`kept audit search|export|tail|reindex|reconcile`.

The first three go through the HTTP API, signed in, as a browser does: what they read is told under the reader's name. The
last two run with the audit service's own settings and show no event to anybody.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from shared.cli import ORIGIN, Json, Origin, columns, console, echo, emit, lay_out, machine, say, say_error, told
from shared.errors import ConflictError, KeptError, UnavailableError
from shared.http.client import away, checked, signed_in

if TYPE_CHECKING:
    from services.audit.index.reconcile import Report

app = typer.Typer()
out = console(markup=False)
READ_SECONDS_MAX = 60.0  # a tail gives a sign of life every ten

Subject = Annotated[str, typer.Option(help="about whom: sub_…")]
Actor = Annotated[str, typer.Option(help="by whom: sub_…, system:customers")]
Type = Annotated[str, typer.Option(help="the event's type, or its beginning and a *")]
Purpose = Annotated[str, typer.Option(help="for what purpose")]
Trace = Annotated[str, typer.Option(help="the trace it belongs to")]
From = Annotated[str, typer.Option("--from", help="not before: 2026-01-31, 2026-01-31T12:00:00Z")]
To = Annotated[str, typer.Option("--to", help="before; a date alone means that day whole")]
Looks = Annotated[bool, typer.Option("--looks", help="only readings of personal data")]


def _asked(**given: Any) -> dict[str, str]:
    names = {"since": "from", "until": "to"}
    return {names.get(n, n): "true" if v is True else str(v) for n, v in given.items() if v}


@app.command()
def search(
    subject: Subject = "", actor: Actor = "", type_: Annotated[str, typer.Option("--type", help="see the log")] = "",
    purpose: Purpose = "", trace: Trace = "", since: From = "", until: To = "", looks: Looks = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="how many")] = 50,
    cursor: Annotated[str, typer.Option(help="`next` of the page before")] = "",
    origin: Origin = ORIGIN, as_json: Json = False,
) -> None:  # fmt: skip
    """What happened, newest first. All options given must hold. Signed in by KEPT_TOKEN, or asks."""
    asked = _asked(
        subject=subject, actor=actor, type=type_, purpose=purpose, trace=trace, since=since, until=until, looks=looks,
        limit=limit, cursor=cursor,
    )  # fmt: skip
    with told(as_json), signed_in(origin) as http:
        try:
            found = checked(http.get("/api/audit/events", params=asked)).json()
        except httpx.HTTPError:
            raise away(http) from None
    if as_json:
        emit(found)
        return
    _table(found["items"])
    if found["next"]:
        echo(f"There is more: --cursor {found['next']}", err=True)


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        echo("Nothing in the log fits.")
        return
    table = columns("when (UTC)", "what", "who", "whose", "purpose", "where")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for row in rows:
        others = row["detail"].get("subjects", [])
        whose = row["subject"] or (f"{len(others)} people" if others else "")
        what = row["type"].removeprefix("kept.")
        table.add_row(row["time"][:19].replace("T", " "), what, _short(row["actor"]), _short(whose), row["purpose"],
                      f"{row['shard']}#{row['index']}")  # fmt: skip
    lay_out(table, markup=False)


def _short(pseudonym: str) -> str:
    """Enough to tell one from another on one screen; --json has it whole."""
    return f"…{pseudonym[-8:]}" if pseudonym.startswith("sub_") else pseudonym


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="where it goes; must not exist; - is the standard output")],
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or ocsf")] = "jsonl",
    receipts: Annotated[bool, typer.Option("--receipts", help="a proof beside each event")] = False,
    grant: Annotated[str, typer.Option(help="of identity, for more than 10,000 rows", envvar="KEPT_GRANT")] = "",
    subject: Subject = "", actor: Actor = "", type_: Annotated[str, typer.Option("--type", help="see search")] = "",
    purpose: Purpose = "", trace: Trace = "", since: From = "", until: To = "", looks: Looks = False,
    origin: Origin = ORIGIN, as_json: Json = False,
) -> None:  # fmt: skip
    """Every event that fits, as CSV, JSON Lines or OCSF. An event tells of it; over 10,000 rows take a grant of two others."""
    asked = _asked(
        subject=subject, actor=actor, type=type_, purpose=purpose, trace=trace, since=since, until=until, looks=looks,
        format=form, receipts=receipts,
    )  # fmt: skip
    with told(as_json):
        if str(file) != "-" and file.exists():
            raise ConflictError(f"{file} exists already")
        with signed_in(origin) as http:
            rows = _fetched(http, asked, {"X-Kept-Grant": grant} if grant else {}, file, quiet=as_json)
    if as_json or str(file) != "-":
        said = machine({"file": str(file), "rows": rows}) if as_json else f"{file}: {rows} events."
        echo(said, err=str(file) == "-")


def _fetched(http: httpx.Client, asked: dict[str, str], headers: dict[str, str], file: Path, *, quiet: bool) -> int:
    """A file is there whole or not at all."""
    part = file.with_name(file.name + ".part")
    try:
        with http.stream("GET", "/api/audit/export", params=asked, headers=headers) as answer, _bar(quiet) as bar:
            total = int(checked(answer).headers["X-Rows"])
            task, rows = bar.add_task("rows", total=total), -1 if asked["format"] == "csv" else 0
            with sys.stdout.buffer if str(file) == "-" else part.open("xb") as sink:
                for line in _lines(answer):
                    sink.write(line)
                    rows += 1
                    bar.update(task, completed=max(rows, 0))
    except httpx.HTTPError:
        part.unlink(missing_ok=True)
        raise UnavailableError("the export broke off; nothing was kept of it") from None
    if str(file) != "-":
        part.rename(file)
    return total


def _lines(answer: httpx.Response) -> Iterator[bytes]:
    """Lines with their ends; of CSV, a quoted line break counts too, which only the bar sees."""
    rest = b""
    for piece in answer.iter_raw():
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


@app.command()
def tail(
    subject: Subject = "", actor: Actor = "", type_: Annotated[str, typer.Option("--type", help="see search")] = "",
    purpose: Purpose = "", trace: Trace = "", looks: Looks = False, origin: Origin = ORIGIN, as_json: Json = False,
) -> None:  # fmt: skip
    """What happens, as it is published, until you stop it (Ctrl-C). Goes on where it was when the connection is lost."""
    asked = _asked(subject=subject, actor=actor, type=type_, purpose=purpose, trace=trace, looks=looks)
    with told(as_json), signed_in(origin, seconds=READ_SECONDS_MAX) as http:
        last = ""
        while True:
            try:
                for name, value in _events(http, asked, last):
                    last = value if name == "id" else last
                    if name == "data":
                        _shown(json.loads(value), as_json)
            except httpx.RemoteProtocolError:
                continue
            except httpx.HTTPError:
                raise away(http) from None
            except KeyboardInterrupt:
                return


def _events(http: httpx.Client, asked: dict[str, str], last: str) -> Iterator[tuple[str, str]]:
    headers = {"Last-Event-ID": last} if last else {}
    with http.stream("GET", "/api/audit/tail", params=asked, headers=headers) as answer:
        for line in checked(answer).iter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "data"):
                yield name, value


def _shown(row: dict[str, Any], as_json: bool) -> None:
    if "type" not in row:  # the end of a session: the loop signs on again
        return
    if as_json:
        emit(row)
    else:
        whose = _short(row["subject"] or "")
        what = f"{row['time'][:19].replace('T', ' ')}  {row['type'].removeprefix('kept.')}  {_short(row['actor'])}"
        echo(f"{what}  {whose}".rstrip())


@app.command()
def reindex(
    fresh: Annotated[bool, typer.Option("--fresh", help="begin anew, not where an earlier try stopped")] = False,
    as_json: Json = False,
) -> None:
    """Build the search index again, from the log alone.

    Beside the live one, and swapped in at the end; search goes on meanwhile. Runs with the audit service's own settings.
    Stopped in the middle, it goes on where it was."""
    from services.audit.index.operate import rebuild
    from services.audit.settings import AuditSettings

    with told(as_json), _bar(as_json) as bar:
        tasks: dict[str, TaskID] = {}

        def moved(shard: str, done: int, size: int) -> None:
            if shard not in tasks:
                tasks[shard] = bar.add_task(shard, total=size)
            bar.update(tasks[shard], completed=done, total=size)

        count = asyncio.run(rebuild(AuditSettings(), moved, fresh=fresh))
    say(as_json, {"ok": True, "entries": count}, f"{count} entries indexed again; search uses them now.")


IN_STEP, DIFFERS, UNKNOWN = 0, 1, 2


@app.command(epilog="Exit codes: 0 in step, 1 differs, 2 wrong usage, or it can't be told.")
def reconcile(
    wait: Annotated[float, typer.Option(min=0, help="seconds that the log may take to catch up")] = 10.0, as_json: Json = False
) -> None:
    """Compare what the broker has with the log and its index.

    The broker's offsets with the log's leaves: what the broker has when it begins must be published and indexed at the end."""
    from services.audit.index.operate import reconcile as compared
    from services.audit.settings import AuditSettings

    try:
        report = asyncio.run(compared(AuditSettings(), wait))
    except KeptError as error:
        say_error(as_json, error.code, error.detail)
        raise typer.Exit(UNKNOWN) from None
    if as_json:
        emit(report.asdict())
    else:
        _compared(report)
    raise typer.Exit(IN_STEP if report.in_step else DIFFERS)


def _compared(report: "Report") -> None:
    numbers = ("published", "behind", "index behind")
    table = columns("shard", *numbers, "", right=numbers)
    for line in report.lines:
        notes = [f"{line.lost} lost to retention"] if line.lost else []
        notes += [f"{line.ahead} leaves beyond the broker's end"] if line.ahead else []
        table.add_row(line.shard, str(line.published), str(line.behind), str(line.index_behind), ", ".join(notes))
    lay_out(table, markup=False)
    for one in report.missing:
        out.print(f"not in the log: {one}", style="red")
    for gap in report.gaps:
        out.print(
            f"gaps: {gap.shard} has {gap.count} offsets at which the broker had nothing, leaves {gap.first} to {gap.last}"
        )
    for name, said in (("gone", "the broker has no such topic any more"), ("older", "an earlier generation of its topic")):
        for shard in getattr(report, name):
            out.print(f"{shard}: {said}", style="dim")
    if report.outside:
        out.print(f"left out by the pattern: {', '.join(report.outside)}", style="dim")
    out.print("In step." if report.in_step else "Not in step.", style="green" if report.in_step else "red")


def _bar(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console(stderr=True), disable=quiet or not sys.stderr.isatty(), transient=True,
    )  # fmt: skip
