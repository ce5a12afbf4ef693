"""Start, stop and look at the platform from outside the supervisor's process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from deploy.local import leftovers, processes
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import REPOSITORY, State

FIRST_START_SECONDS_MAX = 900.0  # downloads included
STARTS_MAX = 4  # a part that died this often before it was ever ready will not get well by itself

Progress = Callable[[Mapping[str, Any]], None]


def running(state: State) -> bool:
    return processes.alive(state.pid) is not None


def parts(state: State) -> list[dict[str, Any]]:
    """The supervisor's last word about each part."""
    record = state.read_json(state.status) or {}
    return cast("list[dict[str, Any]]", record.get("parts") or [])


def start(state: State, *, only_servers: bool, twice: bool = False, progress: Progress = lambda _: None) -> None:
    """Starts the supervisor in the background and waits until every part is ready. `twice`: two processes of each service."""
    if running(state):
        raise PlatformError(f"already running ({state.root}); `kept status` shows it", Exit.ALREADY_RUNNING)
    state.prepare()
    state.status.unlink(missing_ok=True)
    if twice:
        state.twice.touch(mode=0o600)
    else:
        state.twice.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "deploy.local.supervisor", *(["--only-servers"] if only_servers else [])]
    with state.log.open("ab") as log:
        child = subprocess.Popen(
            argv, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "KEPT_STATE": str(state.root)},
        )  # fmt: skip
    _wait_ready(state, child, progress)


def _wait_ready(state: State, child: "subprocess.Popen[bytes]", progress: Progress) -> None:
    deadline = time.monotonic() + FIRST_START_SECONDS_MAX
    while time.monotonic() < deadline:
        record = state.read_json(state.status) or {}
        found = parts(state)
        for part in found:
            progress(part)
        if found and all(part["state"] == "ready" for part in found):
            return
        error = cast("dict[str, Any] | None", record.get("error"))
        if child.poll() is not None:
            line = error["line"] if error else f"the supervisor ended with status {child.returncode}; see {state.log}"
            raise PlatformError(line, Exit(error["exit_code"]) if error else Exit.FAILED)
        for part in found:
            if part["starts"] >= STARTS_MAX and part["state"] == "restarting":
                raise PlatformError(
                    f"{part['name']} does not start: {part['waits_for']} (see {state.logs / part['name']}.log)",
                    Exit.NOT_READY,
                )
        time.sleep(0.1)
    raise PlatformError("not everything became ready in time; `kept status` says what waits for what", Exit.NOT_READY)


def stop(state: State) -> bool:
    """Stops the supervisor, which stops the parts; then whatever outlived an earlier one. False if nothing ran."""
    process = processes.alive(state.pid)
    if process is not None:
        processes.stop(process, signal.SIGTERM, 90.0)
    left = leftovers.stop(state) if state.run.is_dir() else False
    return process is not None or left
