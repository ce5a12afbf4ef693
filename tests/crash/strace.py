"""strace on a process that runs already: to see its system calls, or to make one of them fail.

Where ptrace is not allowed the test is skipped by name; with KEPT_REQUIRE_SERVERS it fails instead.
"""

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

ATTACH_SECONDS_MAX = 30.0


def required() -> None:
    """Skip, or fail, with the reason why strace cannot be used here."""
    if not (reason := _hindrance()):
        return
    if os.environ.get("KEPT_REQUIRE_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def _hindrance() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt-get install strace)"
    other = subprocess.Popen(["sleep", "60"])  # to attach needs more than to start under strace
    try:
        with attached(other.pid, Path(os.devnull)):
            return ""
    except PermissionError as error:
        return str(error)
    finally:
        other.kill()
        other.wait()


@contextmanager
def attached(pid: int, out: Path, *options: str) -> Iterator[None]:
    """All threads of `pid` are traced inside the block. PermissionError where that is not allowed."""
    command = ["strace", "-f", "-p", str(pid), "-o", str(out), *options]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0)
    try:
        _wait(tracer)
        yield
    finally:
        tracer.terminate()  # it detaches
        tracer.communicate(timeout=30)


def _wait(tracer: "subprocess.Popen[bytes]") -> None:
    assert tracer.stderr is not None
    said, until = b"", time.monotonic() + ATTACH_SECONDS_MAX
    while b"attached" not in said:
        ready, _, _ = select.select([tracer.stderr], [], [], max(0.0, until - time.monotonic()))
        more = os.read(tracer.stderr.fileno(), 4096) if ready else b""
        if not more:
            raise PermissionError(f"ptrace is not allowed here: {said.decode().strip() or 'strace says nothing'}")
        said += more
