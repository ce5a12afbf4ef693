"""The screen of `kept audit verify`: one bar while it works, every fault by name, one sentence at the end.

Exit codes: 0 whole, 1 faults, 2 the log or an argument can't be read, 3 a part is away (run it again: it goes on).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from services.audit.log.run import Options, Report, verify_log
from services.audit.log.trust import Trust
from services.audit.log.verify import Progress as Moved
from shared.cli import console, echo, emit, say_error
from shared.errors import KeptError, MalformedError, UnavailableError
from shared.notes.cosignature import Quorum
from shared.notes.tlogproof import HEADER, parse_receipt

FAULTY, UNREADABLE, AWAY, INTERRUPTED = 1, 2, 3, 130


@contextmanager
def told(as_json: bool) -> Iterator[None]:
    """Errors as one line (with --json: one object) on stderr, and an exit code."""
    try:
        yield
    except KeptError as error:
        say_error(as_json, error.code, error.detail)
        raise typer.Exit(AWAY if isinstance(error, UnavailableError) else UNREADABLE) from None


@contextmanager
def _bar(quiet: bool) -> Iterator[Moved]:
    """Entries verified, of all that were found so far, over every shard."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} entries"),
        TextColumn("{task.fields[rate]}", style="dim"), TimeRemainingColumn(),
        console=console(stderr=True), disable=quiet or not sys.stderr.isatty(), transient=True,
    )  # fmt: skip
    task = bar.add_task("", total=0, rate="")
    known: dict[str, tuple[int, int]] = {}

    def moved(shard: str, done: int, total: int) -> None:
        known[shard] = done, total
        speed = bar.tasks[0].speed
        bar.update(
            task, description=shard, completed=sum(d for d, _ in known.values()), total=sum(t for _, t in known.values()),
            rate=f"{speed:,.0f}/s" if speed else "",
        )  # fmt: skip

    with bar:
        yield moved


def run(where: str, trust: Trust, options: Options, as_json: bool) -> Report:
    """Verify with a bar; interrupted, it says how to go on."""
    try:
        with _bar(as_json) as moved:
            return verify_log(where, trust, options, moved)
    except KeyboardInterrupt:
        echo("Interrupted. The same command goes on where this one was.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def show(report: Report, as_json: bool, *, own_keys: bool, quorum: Quorum) -> None:
    """The result, and its exit code. `own_keys`: the keys were the log's own word. `quorum`: what was asked of witnesses."""
    if as_json:
        _show_json(report, own_keys, quorum)
    else:
        _show_lines(report, own_keys, quorum)
    if not report.whole:
        raise typer.Exit(FAULTY)


def _show_json(report: Report, own_keys: bool, quorum: Quorum) -> None:
    shards = [{"shard": r.shard, "size": r.size, "root": r.root.hex(), "faults": len(r.faults)} for r in report.results]
    said = {
        "ok": report.whole, "entries": report.entries, "passed": report.passed, "shards": shards,
        "faults": [vars(f) for f in report.faults], "uncounted": report.uncounted, "notices": report.notices,
        "keys_from_elsewhere": not own_keys, "witnesses": len(quorum.witnesses), "quorum": quorum.needed,
    }  # fmt: skip
    emit(said)


def _show_lines(report: Report, own_keys: bool, quorum: Quorum) -> None:
    out = console(soft_wrap=True)
    for fault in report.faults:
        at = f" entry {fault.index}" if fault.index >= 0 else ""
        out.print(f"[red]{fault.kind}[/] {escape(f'{fault.file}{at}: {fault.detail}')}")
    if report.uncounted:
        out.print(f"[red]and {report.uncounted:,} more[/]")
    for notice in report.notices[:3]:
        out.print(f"[dim]{escape(notice)}[/]")
    if len(report.notices) > 3:
        out.print(f"[dim]… and so for {len(report.notices) - 3} other shards[/]")
    if report.passed:
        out.print(f"[dim]{report.passed:,} of the entries were verified by an earlier run that was interrupted.[/]")
    if own_keys:
        out.print("[dim]The keys came from the log itself; give --keys with ones that you have from elsewhere.[/]")
    count = len(report.faults) + report.uncounted
    faults = f"[red]{count:,} {'fault' if count == 1 else 'faults'}[/]"
    shards = len({result.shard for result in report.results})
    whole = "all of it is as it was signed"
    if quorum.needed:
        whole += f", every checkpoint also by {quorum.needed} of {len(quorum.witnesses)} witnesses or more"
    verdict = f"[green]{whole}[/]" if report.whole else faults
    out.print(f"{report.entries:,} entries in {shards} {'shard' if shards == 1 else 'shards'}: {verdict}")


def given_checkpoint(file: Path) -> bytes:
    """The checkpoint in a file: a note as it is, or the one that a receipt carries."""
    raw = file.read_bytes()
    if not raw.startswith(HEADER.encode()):
        return raw
    try:
        return parse_receipt(raw.decode()).checkpoint.encode()
    except UnicodeDecodeError:
        raise MalformedError("the receipt is not UTF-8") from None
