"""`kept audit witness`: run a witness."""

import socket
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.audit.log.cli import told
from services.audit.witness.app import Witness, app
from services.audit.witness.key import KINDS, opened
from services.audit.witness.trust import Trusted
from shared import telemetry
from shared.cli import console, emit
from shared.clock import SystemClock
from shared.errors import UnavailableError

SHUTDOWN_SECONDS = 5
KEEP_ALIVE_SECONDS = 75  # logs ask every second, and need no new connection each time
Json = Annotated[bool, typer.Option("--json", help="for machines")]
KeyType = Literal["ed25519", "ml-dsa-44"]


def witness(
    state: Annotated[Path, typer.Argument(help="its directory: key and memory, made at the first start")],
    keys: Annotated[Path, typer.Option("--keys", help="a file with the logs' vkeys, one a line, which you have from them")],
    logs: Annotated[list[str] | None, typer.Option("--log", help="a log, to trust all its shards: kept.example/log")] = None,
    name: Annotated[str, typer.Option(help="of this witness, at the first start: witness.example/kept")] = "",
    key_type: Annotated[KeyType, typer.Option(help="at the first start; ml-dsa-44: against quantum computers")] = "ed25519",
    host: Annotated[str, typer.Option(help="address to listen on; put TLS in front of any but the loopback")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 8100,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Run a witness: sign the checkpoints of other people's logs.

    As c2sp.org/tlog-witness has it, each only if it follows from those signed before. It needs nothing but its directory, so
    that another team can run it on another machine. Never bring back an older copy of that directory: a key whose memory is
    gone must not sign again. It begins by saying its vkey, for those who verify (kept audit verify --witness), and its
    address, for those who run the log.
    """
    with told(as_json):
        trusted = Trusted(keys, logs or [])
        key, memory = opened(state, name, KINDS[key_type])
        listening = _listening(host, port)
    address = f"http://{host}:{listening.getsockname()[1]}"
    if as_json:
        emit({"ok": True, "name": key.name, "vkey": key.vkey, "address": address})
    else:
        console(soft_wrap=True, markup=False).print(f"{key.vkey}\nsigns at {address} (stop it: Ctrl-C)")
    try:
        _serve(Witness(key, memory, trusted, SystemClock()), listening)
    finally:
        memory.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise UnavailableError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


def _serve(one: Witness, listening: socket.socket) -> None:
    import uvicorn  # not for `kept audit --help`

    telemetry.setup("witness")
    config = uvicorn.Config(
        app(one), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])
