"""`kept dsar`: check a certificate of erasure offline, read the law's clocks."""

import json
from pathlib import Path
from typing import Annotated

import httpx
import typer

from services.dsar import law
from services.dsar.certificates.verify import log_keys, verify
from shared.errors import KeptError, UnavailableError

app = typer.Typer(no_args_is_help=True, help="Rights of people: certificates and the law's clocks.")
FETCH_SECONDS_MAX = 10
FILE_BYTES_MAX = 8 * 1024 * 1024


def _fetched(url: str) -> list[str]:
    try:
        answer = httpx.get(url, timeout=FETCH_SECONDS_MAX, follow_redirects=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise UnavailableError(f"the public keys can't be read from {url}") from error
    return answer.text.split("\n")


def _keys(log_url: str | None, vkey: list[str], vkey_file: Path | None) -> list[str]:
    """Public keys from the command line, a file, or the installation itself (then you trust it not to lie about its keys)."""
    found = list(vkey)
    if vkey_file is not None:
        found += vkey_file.read_text(encoding="utf-8").split("\n")
    if log_url:
        log = log_url.rstrip("/")
        found += _fetched(f"{log}/keys") + _fetched(f"{log.removesuffix('/log')}/api/dsar/keys")
    return [line.strip() for line in found if line.strip()]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="the certificate", exists=True, dir_okay=False, readable=True)],
    log_url: Annotated[str | None, typer.Option(help="take public keys from this log, e.g. http://localhost:8080/log")] = None,
    vkey: Annotated[list[str] | None, typer.Option(help="a public key (vkey) you trust; may be given several times")] = None,
    vkey_file: Annotated[Path | None, typer.Option(help="a file of vkeys, one per line", exists=True)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Verify a certificate: its signature, every holder's note, every receipt. Exit 0 proven, 1 not proven, 2 no
    keys."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise UnavailableError("the file is too large to be a certificate")
        keys = _keys(log_url, vkey or [], vkey_file)
        if not keys:
            typer.echo("Give the public keys: --log-url, --vkey or --vkey-file.", err=True)
            raise typer.Exit(2)
        checked = verify(file.read_text(encoding="utf-8"), keys, log_keys(keys))
    except (KeptError, UnicodeDecodeError) as error:
        detail = error.detail if isinstance(error, KeptError) else "not a text file"
        typer.echo(json.dumps({"proven": False, "reason": detail}) if as_json else f"NOT PROVEN: {detail}", err=not as_json)
        raise typer.Exit(1) from error
    one = checked.certificate
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "proven": True,
                    **one.model_dump(exclude={"answers"}),
                    "holders": [
                        {"holder": a.holder, "fields": a.fields, "log": p.origin, "index": p.index, "size": p.size}
                        for a, p in zip(one.answers, checked.proofs, strict=True)
                    ],
                }
            )
        )
        return
    typer.echo(f"PROVEN: request {one.request}, {one.law} {one.article}, approved by {len(one.approvers)} people, {one.issued}")
    for answer, proof in zip(one.answers, checked.proofs, strict=True):
        typer.echo(f"  {answer.holder}: {answer.fields} fields erased; entry {proof.index} of {proof.origin} ({proof.size})")
        for kept in answer.kept:
            typer.echo(f"    kept: {kept.what} ({kept.reason})")


@app.command()
def laws() -> None:
    """The law's clocks, with article, source and date of review."""
    for one in law.load().values():
        typer.echo(f"{one.id}: {one.name}; reviewed {one.reviewed_on} by {one.reviewer}; {one.source}")
        for duty in one.duty:
            extension = f", + {duty.extension.text}" if duty.extension else ""
            typer.echo(f"  {duty.right}: {duty.within.text}{extension} ({duty.article}; {duty.clock})")
