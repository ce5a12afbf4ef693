"""`kept audit`: verify the log offline, check a receipt, make one, rebuild the index."""

import asyncio
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from services.audit.index.receipts import receipt
from services.audit.log import validity
from services.audit.log import verify as checks
from services.audit.log.cli import given_checkpoint, run, show, told
from services.audit.log.entry import parse as parse_entry
from services.audit.log.run import Options
from services.audit.log.seen import Seen
from services.audit.log.sources import opened
from services.audit.log.store import KEYS_JSON
from services.audit.log.trust import Trust, keys_of
from services.audit.storage.cli import storage
from services.audit.trail import alarms_cli
from services.audit.trail import cli as index_cli
from services.audit.witness.cli import witness as run_witness
from shared.blobs import PosixStore
from shared.cli import echo, emit, say
from shared.cli import show as table
from shared.errors import MalformedError, NotFoundError
from shared.notes.cosignature import Quorum
from shared.notes.tlogproof import parse_receipt, verify_receipt

EXITS = "Exit codes: 0 whole, 1 faults, 2 the log, the receipt or a word can't be read or is not true, 3 a part is away."
app = typer.Typer(help="The log: verify it, prove one event, search it.", no_args_is_help=True, epilog=EXITS)
app.add_typer(index_cli.app)
app.add_typer(alarms_cli.app, name="alarms")
app.command(epilog="Exit codes: 0 none, 1 some, 2 the store is not fit, 3 it is away.")(storage)
app.command("witness", epilog="Exit codes: 0 stopped, 2 it refused to start, 3 the directory or the port can't be had.")(
    run_witness
)
Json = Annotated[bool, typer.Option("--json", help="for machines")]
Dir = Annotated[Path | None, typer.Option("--dir", help="the log's directory; default: the local platform's")]
Url = Annotated[str, typer.Option(help="the log's address, ending in /log")]
Bucket = Annotated[str, typer.Option(help="s3://bucket/prefix")]
Keys = Annotated[Path | None, typer.Option("--keys", help="a file with one vkey per line, which you have from elsewhere")]
Witness = Annotated[
    list[str] | None, typer.Option("--witness", help="a witness's vkey, which you have from it; as many as there are")
]
Needed = Annotated[int, typer.Option("--quorum", min=0, help="how many of the witnesses must have signed; 0: more than half")]


def local_log() -> Path:
    """Where the local platform keeps the log."""
    return Path(os.environ.get("KEPT_STATE", ".kept")) / "blobs" / "audit" / "log"


def _where(directory: Path | None, url: str = "", bucket: str = "") -> str:
    named = [one for one in (url, bucket, str(directory or "")) if one]
    if len(named) > 1:
        raise MalformedError("give one of --dir, --url and --bucket")
    return named[0] if named else str(local_log())


def _unlisted(root: Path, listed: list[str]) -> list[str]:
    """Shards that lie in the directory and not in its list: the list is not signed, and must hide nothing."""
    there = {path.parent.relative_to(root).as_posix() for name in ("checkpoint", "tile") for path in root.glob(f"*/*/{name}")}
    return sorted(there - set(listed))


def _keys(keys: Path | None, where: str) -> list[str]:
    if keys is None:
        return checks.vkeys(opened(where))
    if not keys.is_file():
        raise NotFoundError(f"no file {keys}")
    return keys.read_text().split()


def _memory(where: str) -> Path | None:
    """The local platform, which is thrown away and made anew, remembers in its own state; other logs in the user's."""
    return local_log().parents[2] / "seen" if where == str(local_log()) else None


@app.command()
def verify(
    directory: Dir = None, url: Url = "", bucket: Bucket = "", keys: Keys = None,
    seen: Annotated[Path | None, typer.Option(help="a checkpoint or receipt from elsewhere; or where to remember")] = None,
    workers: Annotated[int, typer.Option(min=0, help="processes; 0: one per processor")] = 0,
    afresh: Annotated[bool, typer.Option("--afresh", help="do not go on from an interrupted run")] = False,
    witness: Witness = None, needed: Needed = 0, as_json: Json = False,
) -> None:  # fmt: skip
    """Verify every entry, tile, root and signature; name every fault. Interrupted, the next run goes on."""
    with told(as_json):
        quorum = Quorum.of(witness or [], needed)
        where = _where(directory, url, bucket)
        trust = Trust.of(_keys(keys, where))
        if seen is not None and not seen.exists():
            raise NotFoundError(f"no file {seen}")
        options = Options(
            workers=workers,
            seen=Seen(seen if seen is not None and seen.is_dir() else _memory(where)),
            given=[given_checkpoint(seen)] if seen is not None and seen.is_file() else [],
            pinned=keys is not None,
            afresh=afresh,
            unlisted=[] if url or bucket else _unlisted(Path(where), checks.shards(opened(where))),
            quorum=quorum,
        )
        report = run(where, trust, options, as_json)
    show(report, as_json, own_keys=keys is None, quorum=quorum)


@app.command("keys")
def list_keys(directory: Dir = None, url: Url = "", bucket: Bucket = "", as_json: Json = False) -> None:
    """The log's public keys, and from and until when each signs.

    With --json the vkeys too."""
    with told(as_json):
        found = validity.parse(opened(_where(directory, url, bucket)).get(KEYS_JSON))
        short = [
            {
                "key": one.vkey.split("+")[1],
                "from": one.valid_from[:16],
                "until": (one.valid_until or "")[:16],
                "name": one.name,
            }
            for one in found
        ]
        table(as_json, [asdict(one) for one in found] if as_json else short, empty="No keys.")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="the receipt")], keys: Keys = None,
    witness: Witness = None, needed: Needed = 0, as_json: Json = False,
) -> None:  # fmt: skip
    """Check a receipt offline, with nothing but public keys.

    Those of --keys, else those of the local log."""
    with told(as_json):
        quorum = Quorum.of(witness or [], needed)
        if not file.is_file():
            raise NotFoundError(f"no file {file}")
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise MalformedError("the receipt is not UTF-8") from None
        origin = parse_receipt(text).checkpoint.partition("\n")[0]
        proven = verify_receipt(text, keys_of(origin, _keys(keys, str(local_log()))))
        signed_by = quorum.check(parse_receipt(text).checkpoint)
        entry = parse_entry(proven.entry)
    said = {"ok": True, "origin": proven.origin, "index": proven.index, "size": proven.size, "kind": entry.kind.name.lower(),
            "id": entry.header("ce_id"), "type": entry.header("ce_type"), "time": entry.header("ce_time"),
            "witnesses": signed_by}  # fmt: skip
    if as_json:
        emit(said)
    else:
        what, by = f"{said['type'] or said['kind']} {said['id']}", f" and by {', '.join(signed_by)}" if signed_by else ""
        echo(f"{what} is entry {proven.index} of {proven.origin}, signed at size {proven.size}{by}")


@app.command()
def proof(
    shard: Annotated[str, typer.Argument(help="as in `kept.customers/0`")],
    index: Annotated[int, typer.Argument(help="of the entry, from 0")],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Print the receipt of one entry, from the log's files alone.

    Whoever has it proves with `kept audit check`, and no server, that the entry is in the log."""
    with told(as_json):
        if index < 0:
            raise MalformedError("an index is not negative")
        root = directory or local_log()
        if shard not in checks.shards(opened(str(root))):
            raise NotFoundError(f"no shard {shard!r} in this log; {root / 'shards'} lists them")
        text = receipt(PosixStore(root), shard, index)
    if as_json:
        emit({"receipt": text})
    else:
        typer.echo(text, nl=False)  # a file, byte for byte: base64 and our own words


@app.command("go-on", epilog="Exit codes: 0 it goes on, 2 it is not stopped, or there is no such shard, 3 a part is away.")
def go_on(shard: Annotated[str, typer.Argument(help="as in `kept.customers/0`")], as_json: Json = False) -> None:
    """Let a stopped shard go on as its next generation.

    A shard stops when what was written once reads differently now: first find out why, and keep a copy of its files. What
    it has published stays; the next generation begins at the first offset that is not published. An alarm tells of it. Runs
    with the audit service's own settings."""
    from services.audit.index.operate import go_on as gone_on
    from services.audit.settings import AuditSettings

    with told(as_json):
        begun = asyncio.run(gone_on(AuditSettings(), shard))
    say(as_json, {"ok": True, "shard": begun}, f"{shard} goes on as {begun}, within seconds.")
