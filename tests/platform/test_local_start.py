"""Starting on the real thing when it goes wrong: a port that is taken, a first start that is killed in the middle."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local import control, processes
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import REPOSITORY, State
from tests.support.platform import Platform, free_port


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A state of its own, in which nothing was ever started."""
    root = Path(tempfile.mkdtemp(prefix="kept-local-")).resolve()
    root.chmod(0o711)
    monkeypatch.setenv("KEPT_STATE", str(root))
    monkeypatch.setenv("KEPT_PORT", str(free_port()))
    platform = Platform(State(root))
    try:
        yield platform
    finally:
        platform.kept("down")
        shutil.rmtree(root, ignore_errors=True)


def kill_all(supervisor: psutil.Process) -> None:
    """SIGKILL to the supervisor and everything under it; stopped first, so that it starts nothing meanwhile."""
    supervisor.send_signal(signal.SIGSTOP)
    family = processes.family(supervisor)
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=10)


def test_a_taken_port_is_one_clear_line(fresh: Platform) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(os.environ["KEPT_PORT"])))
        other.listen()
        done = fresh.kept("up")
    assert done.returncode == Exit.PORT_TAKEN, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1 and f"port {os.environ['KEPT_PORT']} is taken" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr + fresh.state.log.read_text()


INSTANTS: dict[str, Callable[[State], bool]] = {
    "ports chosen": lambda state: (state.root / "ports.json").exists(),
    "Vault initialised": lambda state: (state.vault / "unseal.json").exists(),
    "database directory begun": lambda state: (state.root / "postgres").exists(),
    "broker directory begun": lambda state: (state.root / "kafka").exists(),
}


def test_a_first_start_killed_at_several_instants_is_completed_by_the_next(fresh: Platform) -> None:
    state = fresh.state
    state.prepare()
    for instant, reached in INSTANTS.items():
        with state.log.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.supervisor", "--only-servers"], cwd=REPOSITORY,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while not reached(state):
                assert child.poll() is None, f"{instant}: {state.log.read_text()}"
                assert time.monotonic() < deadline, f"never came to: {instant}"
                time.sleep(0.01)
        finally:
            if child.poll() is None:
                kill_all(psutil.Process(child.pid))
            child.wait()
    control.start(state, only_servers=True)
    with pytest.raises(PlatformError) as refused:
        control.start(state, only_servers=True)
    assert refused.value.exit_code is Exit.ALREADY_RUNNING
    second = fresh.kept("up")  # beside the running one: refused, and the running one stays as it is
    assert second.returncode == Exit.ALREADY_RUNNING, second.stdout + second.stderr
    assert second.stderr.count("\n") == 1 and "already running" in second.stderr
    assert {part["state"] for part in control.parts(state)} == {"ready"}
    assert "Traceback" not in second.stdout + second.stderr + state.log.read_text()
