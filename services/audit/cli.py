"""`kept audit`: verify the log offline, check a receipt, make one, rebuild the index."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.audit.index import cli as index_cli
from services.audit.log import verify as checks
from services.audit.log.entry import parse as parse_entry
from services.audit.receipts import receipt
from services.audit.storage_cli import storage
from shared.blobs import PosixStore
from shared.errors import KeptError, MalformedError, NotFoundError, UnavailableError
from shared.notes.tlogproof import verify_receipt

app = typer.Typer(help="The log: verify it, prove one event, search it.", no_args_is_help=True)
app.add_typer(index_cli.app)
app.command()(storage)
Json = Annotated[bool, typer.Option("--json", help="for machines")]
Dir = Annotated[Path | None, typer.Option("--dir", help="the log's directory; default: the local platform's")]
Keys = Annotated[Path | None, typer.Option("--keys", help="a file with one vkey per line, which you have from elsewhere")]
FAULTY, REFUSED = 1, 2


class _Web:
    """A log read over HTTP."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/") + "/", timeout=30)

    def get(self, path: str) -> bytes:
        try:
            answer = self._client.get(path)
        except httpx.HTTPError:
            raise UnavailableError("the log cannot be reached there") from None
        if answer.status_code == 404:
            raise NotFoundError("the file is not there")
        answer.raise_for_status()
        return answer.content


def local_log() -> Path:
    """Where the local platform keeps the log."""
    return Path(os.environ.get("KEPT_STATE", ".kept")) / "blobs" / "audit" / "log"


@contextmanager
def _told(as_json: bool) -> Iterator[None]:
    """Errors as one line and an exit code."""
    try:
        yield
    except KeptError as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "code": error.code, "detail": error.detail}))
        else:
            Console(stderr=True).print(f"[red]{error.code}[/]: {error.detail}", highlight=False)
        raise typer.Exit(REFUSED) from None


def _files(directory: Path | None, url: str) -> checks.Files:
    if url:
        return _Web(url)
    root = directory or local_log()
    if not (root / "shards").is_file():
        raise NotFoundError(f"no log in {root}")
    return PosixStore(root)


def _unlisted(root: Path, listed: list[str]) -> list[str]:
    """Shards that lie in the directory and not in its list: the list is not signed, and must hide nothing."""
    there = {path.parent.relative_to(root).as_posix() for name in ("checkpoint", "tile") for path in root.glob(f"*/*/{name}")}
    return sorted(there - set(listed))


def _keys(keys: Path | None, files: checks.Files) -> list[str]:
    return keys.read_text().split() if keys else checks.vkeys(files)


@app.command()
def verify(
    directory: Dir = None, url: Annotated[str, typer.Option(help="the log's address, ending in /log")] = "",
    keys: Keys = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Verify every entry, tile, root and signature; name every fault. Exit code 1 if there is one."""
    with _told(as_json):
        files = _files(directory, url)
        known = _keys(keys, files)
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(stderr=True), disable=as_json or not sys.stderr.isatty(), transient=True,
        )  # fmt: skip
        results = []
        with bar:
            listed = checks.shards(files)
            hidden = [] if url else _unlisted(directory or local_log(), listed)
            for shard in hidden:
                unlisted = checks.Fault("shards", "missing", -1, f"does not list {shard}, which is there")
                results.append(checks.Result(shard, 0, b"", (unlisted,)))
            for shard in [*listed, *hidden]:
                task = bar.add_task(shard, total=None)

                def moved(_: str, done: int, total: int, task: object = task) -> None:
                    bar.update(task, completed=done, total=total)  # type: ignore[arg-type]  # rich's TaskID

                try:
                    results.append(checks.verify_shard(files, shard, known, moved))
                except NotFoundError as error:
                    missing = checks.Fault(shard, "missing", -1, error.detail)
                    results.append(checks.Result(shard, 0, b"", (missing,)))
    faults = [fault for result in results for fault in result.faults]
    entries = sum(result.size for result in results)
    if as_json:
        shards = [{"shard": r.shard, "size": r.size, "root": r.root.hex()} for r in results]
        typer.echo(json.dumps({"ok": not faults, "entries": entries, "shards": shards, "faults": [vars(f) for f in faults]}))
    else:
        out = Console(highlight=False)
        for fault in faults:
            at = f" entry {fault.index}" if fault.index >= 0 else ""
            out.print(f"[red]{fault.kind}[/] {fault.file}{at}: {fault.detail}", soft_wrap=True)
        if not keys:
            out.print("[dim]The keys came from the log itself; give --keys with ones that you have from elsewhere.[/]")
        verdict = f"[red]{len(faults)} faults[/]" if faults else "[green]all of it is as it was signed[/]"
        out.print(f"{entries} entries in {len({r.shard for r in results})} shards: {verdict}")
    if faults:
        raise typer.Exit(FAULTY)


@app.command()
def check(file: Path, keys: Keys = None, as_json: Json = False) -> None:
    """Check a receipt offline, with nothing but public keys (--keys, else those of the local log)."""
    with _told(as_json):
        if not file.is_file():
            raise NotFoundError(f"no file {file}")
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise MalformedError("the receipt is not UTF-8") from None
        proven = verify_receipt(text, _keys(keys, _files(None, "") if keys is None else PosixStore(file.parent)))
        entry = parse_entry(proven.entry)
    said = {"ok": True, "origin": proven.origin, "index": proven.index, "size": proven.size, "kind": entry.kind.name.lower(),
            "id": entry.header("ce_id"), "type": entry.header("ce_type"), "time": entry.header("ce_time")}  # fmt: skip
    if as_json:
        typer.echo(json.dumps(said))
    else:
        what = f"{said['type'] or said['kind']} {said['id']}"
        typer.echo(f"{what} is entry {proven.index} of {proven.origin}, signed at size {proven.size}")


@app.command()
def proof(shard: str, index: int, directory: Dir = None) -> None:
    """Print the receipt of entry INDEX of SHARD (`kept.customers/0`), from the log's files alone."""
    with _told(False):
        if index < 0:
            raise MalformedError("an index is not negative")
        typer.echo(receipt(PosixStore(directory or local_log()), shard, index), nl=False)
