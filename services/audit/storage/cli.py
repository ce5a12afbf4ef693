"""`kept audit storage`: whether the store keeps what it is trusted with, and every file that was laid over."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services.audit.log.store import moves
from shared.blobs import YEARS, open_store
from shared.cli import console, emit, say_error
from shared.errors import KeptError, NotFoundError, UnavailableError

FAULTY, REFUSED, AWAY = 1, 2, 3


def storage(
    store: Annotated[str, typer.Option(help="a directory or s3://bucket/prefix?…; default: KEPT_LOG_STORE")] = "",
    attack: Annotated[
        bool, typer.Option("--try", help="also try to break the store's promises, on a probe of four bytes")
    ] = False,
    years: Annotated[int, typer.Option(help="with --try: how long the bucket must keep what is written")] = YEARS,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Name every file of the log's store that was laid over.

    A file of a bucket that has more on it than what was locked. Keys come from the environment, as for every S3 program."""
    address = store or os.environ.get("KEPT_LOG_STORE", "") or str(_local())
    try:
        if "://" not in address and not Path(address).is_dir():
            raise NotFoundError(f"no directory {address}")
        opened = open_store(address, years=years)
        said = opened.check() if attack else ""
        found = list(opened.overlaid(moves))
    except KeptError as error:
        say_error(as_json, error.code, error.detail)
        raise typer.Exit(AWAY if isinstance(error, UnavailableError) else REFUSED) from None
    lines = [said] * bool(said) + [f"[red]overlaid[/] {escape(f'{one.path}: {one.detail}')}" for one in found]
    verdict = f"[red]{len(found)} files were laid over[/]" if found else "[green]every file shows what was written first[/]"
    _say(as_json, {"ok": not found, "enforces": said, "overlaid": [vars(one) for one in found]}, "\n".join([*lines, verdict]))
    if found:
        raise typer.Exit(FAULTY)


def _local() -> Path:
    return Path(os.environ.get("KEPT_STATE", ".kept")) / "blobs" / "audit" / "log"


def _say(as_json: bool, answer: dict[str, object], text: str) -> None:
    if as_json:
        emit(answer)
    else:
        console().print(text, soft_wrap=True)
