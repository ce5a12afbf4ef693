"""What is there now: the supervisor's last word, and each process asked again."""

import asyncio
import time
from dataclasses import dataclass

import psutil

from deploy.local import control, processes
from deploy.local import ports as port_file
from deploy.local.errors import NotYetError, PlatformError
from deploy.local.parts import everything
from deploy.local.state import State

PROBE_SECONDS_MAX = 4.0


@dataclass
class Row:
    name: str
    state: str
    waits_for: str
    note: str
    port: int
    pid: int
    memory_mb: int
    up_seconds: int
    starts: int


def look(state: State) -> list[Row]:
    """One row per part; none when nothing runs."""
    if not control.running(state):
        return []
    ports = port_file.load(state)
    rows = [_row(state, ports, part) for part in control.parts(state)]
    asyncio.run(_ask(state, ports, [row for row in rows if row.state == "ready"]))
    return rows


def _row(state: State, ports: dict[str, int], part: dict[str, object]) -> Row:
    name = str(part["name"])
    row = Row(
        name, str(part["state"]), str(part["waits_for"]), str(part["note"]), ports.get(name, 0), 0, 0, 0,
        int(str(part["starts"])),
    )  # fmt: skip
    process = processes.alive(state.pid_file(name))
    if process is not None:
        row.pid = process.pid
        row.memory_mb = round(processes.memory_bytes(process) / 2**20)
        try:
            row.up_seconds = max(1, int(time.time() - process.create_time()))
        except psutil.Error:
            row.up_seconds = 0
    elif row.state == "ready":
        row.state, row.waits_for = "restarting", "its process is gone"
    return row


async def _ask(state: State, ports: dict[str, int], rows: list[Row]) -> None:
    probes = {part.name: part for part in everything(state, ports)}

    async def ask(row: Row) -> None:
        part = probes.get(row.name)
        if part is None:
            return
        try:
            await asyncio.wait_for(part.probe(), PROBE_SECONDS_MAX)
        except (NotYetError, PlatformError, TimeoutError) as error:
            row.state, row.waits_for = "waiting", str(error) or "for an answer"

    await asyncio.gather(*(ask(row) for row in rows))
