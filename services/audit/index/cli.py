"""`kept audit reindex`: the search index, from the operator's side."""

import asyncio
import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from shared.cli import Json, told

app = typer.Typer()


@app.command()
def reindex(
    fresh: Annotated[bool, typer.Option("--fresh", help="begin anew, not where an earlier try stopped")] = False,
    as_json: Json = False,
) -> None:
    """Build the search index again from the log alone, beside the live one, and swap it in. Search goes on meanwhile.

    Runs with the audit service's own settings. Stopped in the middle, it goes on where it was."""
    from services.audit.reindex import rebuild
    from services.audit.settings import AuditSettings

    with told(as_json), _bar(as_json) as bar:
        tasks: dict[str, TaskID] = {}

        def moved(shard: str, done: int, size: int) -> None:
            if shard not in tasks:
                tasks[shard] = bar.add_task(shard, total=size)
            bar.update(tasks[shard], completed=done, total=size)

        count = asyncio.run(rebuild(AuditSettings(), moved, fresh=fresh))
    typer.echo(
        json.dumps({"ok": True, "entries": count}) if as_json else f"{count} entries indexed again; search uses them now."
    )


def _bar(as_json: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), disable=as_json or not sys.stderr.isatty(), transient=True,
    )  # fmt: skip
