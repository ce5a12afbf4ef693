"""What is there now: the supervisor's last word, and each process asked again."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import psutil

from deploy.local import control, leftovers, processes
from deploy.local import ports as port_file
from deploy.local.errors import NotYetError, PlatformError
from deploy.local.state import State

if TYPE_CHECKING:
    from deploy.local.part import Part

PROBE_SECONDS_MAX = 4.0
BEHIND_VAULT = ("postgres", "kafka")  # asked with a password, which lies there


@dataclass
class Row:
    name: str
    state: str
    waits_for: str
    note: str
    port: int
    pid: int = 0
    memory_mb: int = 0
    up_seconds: int = 0
    starts: int = 0


@dataclass
class Look:
    """What was found; no rows when nothing runs."""

    supervisor: Literal["watching", "paused", "gone", "none"]
    rows: list[Row] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return self.supervisor == "watching" and bool(self.rows) and all(row.state == "ready" for row in self.rows)

    @property
    def memory_mb(self) -> int:
        return sum(row.memory_mb for row in self.rows)


def look(state: State) -> Look:
    """One row per part, each asked for a sign of life."""
    supervisor = processes.alive(state.pid)
    left = {} if supervisor else leftovers.find(state)
    if supervisor is None and not left:
        return Look("none")
    ports = port_file.load(state)
    found = Look("gone" if supervisor is None else "paused" if _paused(supervisor) else "watching")
    found.rows = [
        _row(ports, part, _process(state, str(part["name"]), left), found.supervisor == "watching")
        for part in control.parts(state)
    ]
    asyncio.run(_ask(state, ports, [row for row in found.rows if row.state == "ready"]))
    return found


def _process(state: State, name: str, left: dict[str, list[psutil.Process]]) -> psutil.Process | None:
    return processes.alive(state.pid_file(name)) or next(iter(left.get(name, ())), None)


def _row(ports: dict[str, int], part: dict[str, object], process: psutil.Process | None, watched: bool) -> Row:
    name, state, waits_for = (str(part[key]) for key in ("name", "state", "waits_for"))
    row = Row(name, state, waits_for, str(part["note"]), ports.get(name, 0), starts=int(str(part["starts"])))
    if process is not None:
        row.pid = process.pid
        row.memory_mb = round(processes.memory_bytes(process) / 2**20)
        try:
            row.up_seconds = max(1, int(time.time() - process.create_time()))
        except psutil.Error:
            row.up_seconds = 0
        if _paused(process):
            row.state, row.waits_for = "paused", f"stopped by a signal; to go on: kill -CONT {process.pid}"
    elif not watched:
        row.state, row.waits_for = "gone", "its process ended, and nobody starts it again"
    elif row.state == "ready":
        row.state, row.waits_for = "restarting", "its process is gone"
    return row


def _paused(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


async def _ask(state: State, ports: dict[str, int], rows: list[Row]) -> None:
    from deploy.local.parts import everything  # every client of every server: only where there is something to ask

    probes = {part.name: part for part in everything(state, ports)}
    found = {row.name: row for row in rows if row.name in probes}

    async def vault() -> bool:
        row = found.get("vault")
        return row is not None and await _answers(row, probes["vault"])

    vault_answers = asyncio.create_task(vault())

    async def ask(row: Row) -> None:
        if row.name not in BEHIND_VAULT or await vault_answers:
            await _answers(row, probes[row.name])
        elif await port_file.answers(row.port):
            row.note = "only its port was asked: how to sign in stands in Vault"
        else:
            row.state, row.waits_for = "waiting", "for it to accept connections"

    await asyncio.gather(vault_answers, *(ask(row) for name, row in found.items() if name != "vault"))


async def _answers(row: Row, part: "Part") -> bool:
    try:
        await asyncio.wait_for(part.probe(), PROBE_SECONDS_MAX)
    except (NotYetError, PlatformError, TimeoutError) as error:
        row.state, row.waits_for = "waiting", str(error) or f"for an answer, not there within {PROBE_SECONDS_MAX:.0f} s"
        return False
    finally:
        row.note = part.note() or row.note
    return True
