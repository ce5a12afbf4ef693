"""Finding processes that may end at any moment."""

import subprocess
import sys

import psutil

from deploy.local import processes
from deploy.local.state import REPOSITORY

HERE = ("deploy/local/processes.py", "tests/unit/deploy/local/test_processes.py")
WAITS = "import sys; sys.stdin.read()"
PARENT = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {WAITS!r}]).pid, flush=True); sys.stdin.read()"


def test_of_a_process_that_is_gone_there_is_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE) as process:
        found = psutil.Process(process.pid)
        assert processes.family(found) == [found]
        process.communicate()
    assert processes.family(found) == []


def test_a_family_is_a_process_and_what_it_started() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert [one.pid for one in processes.family(psutil.Process(process.pid))] == [process.pid, child]
        process.communicate()


def test_nobody_else_asks_for_the_children_of_a_process_that_may_be_gone() -> None:
    """psutil raises where it ended meanwhile: whoever kills processes meets that now and then, and `family` never."""
    asks = [
        str(file.relative_to(REPOSITORY))
        for place in ("deploy", "services", "shared", "tests", "examples")
        for file in sorted((REPOSITORY / place).rglob("*.py"))
        if ".children(" in file.read_text(encoding="utf-8")
    ]
    assert [one for one in asks if one not in HERE] == []
