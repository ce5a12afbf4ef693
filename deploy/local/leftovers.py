"""What outlived a killed supervisor: found by the pid files and by the mark in each process's environment, and stopped."""

import signal

import psutil

from deploy.local import processes
from deploy.local.catalog import EVERY_PART
from deploy.local.state import State

STOP_SECONDS_MAX = 20.0


def find(state: State) -> dict[str, list[psutil.Process]]:
    """Part -> its processes that still run, in the order of starting; parts without any are left out."""
    started = processes.started_as(state.root)
    found: dict[str, list[psutil.Process]] = {}
    for name in EVERY_PART:
        # PostgreSQL overwrites what its children's environment was, so the pid file counts as well.
        known = processes.alive(state.pid_file(name))
        if both := list(dict.fromkeys([*([known] if known else []), *started.get(name, ())])):
            found[name] = both
    return found


def stop(state: State) -> bool:
    """Stops them before anything starts: two servers never share one directory. Whether there were any."""
    found = find(state)
    for name, left in reversed(found.items()):
        for process in left:
            if process.is_running():
                processes.stop(process, signal.SIGINT if name == "postgres" else signal.SIGTERM, STOP_SECONDS_MAX)
    for name in EVERY_PART:
        state.pid_file(name).unlink(missing_ok=True)
    return bool(found)
