"""Process ids that stay true: a pid counts only together with the time that process was created."""

import json
import signal
import time
from pathlib import Path

import psutil

from deploy.local.state import write_private

ROOT_TAG, PART_TAG = "KEPT_PART_OF", "KEPT_PART"


def remember(path: Path, pid: int) -> None:
    write_private(path, json.dumps({"pid": pid, "created": psutil.Process(pid).create_time()}))


def alive(path: Path) -> psutil.Process | None:
    """The process that a pid file names, unless it ended (or its number was given to another one)."""
    try:
        record = json.loads(path.read_text())
        process = psutil.Process(int(record["pid"]))
        same = abs(process.create_time() - float(record["created"])) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def started_as(root: Path) -> dict[str, list[psutil.Process]]:
    """Part -> the processes that were started as it for the state at `root`, also those whose pid nobody wrote down."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get(ROOT_TAG) == str(root) and process.status() != psutil.STATUS_ZOMBIE:
                found.setdefault(environment[PART_TAG], []).append(process)
        except (psutil.Error, OSError, KeyError):  # another user's, or gone meanwhile
            continue
    return found


def tags(root: Path, part: str) -> dict[str, str]:
    """The environment that `started_as` recognises a part's processes by; its children inherit it."""
    return {ROOT_TAG: str(root), PART_TAG: part}


def stop(process: psutil.Process, how: signal.Signals, seconds: float) -> bool:
    """Asks, waits, then kills it and its children. True when asking was enough."""
    try:
        children = process.children(recursive=True)
        process.send_signal(how)
    except psutil.NoSuchProcess:
        return True
    asked = wait_gone(process, seconds)
    for survivor in [*([] if asked else [process]), *(child for child in children if child.is_running())]:
        try:
            survivor.kill()
        except psutil.NoSuchProcess:
            continue
    for member in [process, *children]:
        wait_gone(member, 5)
    return asked


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and everything that it started, as far as they run; none once it is gone, whenever that happens."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_bytes(process: psutil.Process) -> int:
    """Of the process and its children; pages that they share are counted once (PSS), where the system tells."""
    total = 0
    for member in family(process):
        try:
            info = member.memory_full_info()
            total += int(getattr(info, "pss", 0) or info.rss)
        except psutil.Error:
            continue
    return total


def wait_gone(process: psutil.Process, seconds: float) -> bool:
    """Whether it ended in time. One that ended and whose parent does not ask for its status (a zombie) has ended."""
    deadline = time.monotonic() + seconds
    while _runs(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
