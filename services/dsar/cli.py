"""`kept dsar`: check a certificate of erasure offline, read the law's clocks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import httpx
import typer

from services.dsar import law
from services.dsar.certificates.verify import Checked, log_keys, verify
from services.dsar.law.model import Law
from shared.cli import EXITS, REFUSED, Json, say, say_error, told
from shared.commands import renew_key
from shared.errors import KeptError, MalformedError, UnavailableError

app = typer.Typer(no_args_is_help=True, help="Rights of people: certificates and the law's clocks.", epilog=EXITS)


def _renewal() -> renew_key.Parts:
    from services.dsar.base import TABLES
    from services.dsar.requests import rekey

    return TABLES, rekey.renew_key


renew_key.add(
    app, "dsar", "request's", _renewal,
    what="what it holds", until="the request ends", example="req_…",
)  # fmt: skip
UNUSABLE = 2
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


@app.command(epilog="Exit codes: 0 proven, 1 not proven, 2 wrong usage or no keys, 3 the keys can't be fetched.")
def check(
    file: Annotated[Path, typer.Argument(help="the certificate", exists=True, dir_okay=False, readable=True)],
    log_url: Annotated[str | None, typer.Option(help="take public keys from this log, e.g. http://localhost:8080/log")] = None,
    vkey: Annotated[list[str] | None, typer.Option(help="a public key (vkey) you trust; may be given several times")] = None,
    vkey_file: Annotated[Path | None, typer.Option(help="a file of vkeys, one per line", exists=True, dir_okay=False)] = None,
    as_json: Json = False,
) -> None:
    """Prove a certificate of erasure offline, with public keys alone.

    Its signature, every holder's note, and the receipt of each: that the log has it. With keys from --log-url you trust the
    installation not to lie about its keys."""
    with told(as_json):
        keys = _keys(log_url, vkey or [], vkey_file)
    if not keys:
        say_error(as_json, "no-keys", "give the public keys: --log-url, --vkey or --vkey-file")
        raise typer.Exit(UNUSABLE)
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise MalformedError("the file is too large to be a certificate")
        checked = verify(file.read_text(encoding="utf-8"), keys, log_keys(keys))
    except (KeptError, UnicodeDecodeError) as error:
        reason = error.detail if isinstance(error, KeptError) else "not a text file"
        say(as_json, {"proven": False, "reason": reason}, f"NOT PROVEN: {reason}")
        raise typer.Exit(REFUSED) from error
    say(as_json, _record(checked), "\n".join(_lines(checked)))


def _record(checked: Checked) -> dict[str, object]:
    one = checked.certificate
    holders = [
        {"holder": a.holder, "fields": a.fields, "log": p.origin, "index": p.index, "size": p.size}
        for a, p in zip(one.answers, checked.proofs, strict=True)
    ]
    return {"proven": True, **one.model_dump(exclude={"answers"}), "holders": holders}


def _records(count: int, which: str = "") -> str:
    return f"{count} {which}record{'' if count == 1 else 's'}"


def _lines(checked: Checked) -> Iterator[str]:
    one = checked.certificate
    yield f"PROVEN: request {one.request}, {one.law} {one.article}, approved by {len(one.approvers)} people, {one.issued}"
    if one.version > 1:
        yield f"  covers {_records(len(one.covered))}:"
        yield from (f"    {it.subject} (by {it.by})" for it in one.covered)
        yield f"  not covered: {_records(one.left_out, 'other ')} with the same address, counted {one.counted}"
    else:
        yield "  version 1: it names the records it covers below, and says nothing of other records with the same address"
    for answer, proof in zip(one.answers, checked.proofs, strict=True):
        yield f"  {answer.holder}: {answer.fields} fields erased; entry {proof.index} of {proof.origin} ({proof.size})"
        for kept in answer.kept:
            yield f"    kept: {kept.what} ({kept.reason})"
    for left in one.remains:
        yield f"  remains: {left.what} ({left.reason})"


@app.command()
def laws(as_json: Json = False) -> None:
    """The law's clocks, with article, source and date of review."""
    found = list(law.load().values())
    say(as_json, [one.model_dump(mode="json") for one in found] if as_json else [], "\n".join(_clocks(found)))


def _clocks(found: list[Law]) -> Iterator[str]:
    for one in found:
        yield f"{one.id}: {one.name}; in force from {one.in_force_from}; {one.source}"
        yield f"  reviewed {one.reviewed_on} by {one.reviewer}"
        for duty in one.duty:
            extension = f", + {duty.extension.text}" if duty.extension else ""
            yield f"  {duty.right}: {duty.within.text}{extension} ({duty.article}; {duty.clock})"
