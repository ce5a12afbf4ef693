"""`kept status` says what is true: of a part that is paused or gone, of a supervisor that is, and of what Vault hides."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import parts, processes, status
from deploy.local.errors import NotYetError
from deploy.local.state import State

NAMES = ("vault", "postgres", "customers")


class Answering:
    """A part as `status` asks it."""

    def __init__(self, name: str, silent: frozenset[str]) -> None:
        self.name, self._silent = name, silent

    async def probe(self) -> None:
        if self.name in self._silent:
            raise NotYetError("to be unsealed")

    def note(self) -> str:
        return "set aside: 1 of saga" if self.name == NAMES[-1] else ""


class Stage:
    """Processes that sleep, as if they were the parts and the supervisor of a platform."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state, self.silent = State(root), frozenset[str]()
        self.state.prepare()
        self.sleepers = {name: self._sleeper(name) for name in (*NAMES, "supervisor")}
        for name in NAMES:
            processes.remember(self.state.pid_file(name), self.sleepers[name].pid)
        processes.remember(self.state.pid, self.sleepers["supervisor"].pid)
        said = [{"name": name, "state": "ready", "waits_for": "", "note": "", "starts": 1} for name in NAMES]
        self.state.status.write_text(json.dumps({"parts": said}))
        self.socket = socket.create_server(("127.0.0.1", 0))
        (root / "ports.json").write_text(json.dumps({"postgres": self.socket.getsockname()[1]}))
        monkeypatch.setattr(parts, "everything", lambda *_: [Answering(name, self.silent) for name in NAMES])

    def _sleeper(self, name: str) -> "subprocess.Popen[bytes]":
        env = {**os.environ, **({} if name == "supervisor" else processes.tags(self.state.root, name))}
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=env)

    def send(self, name: str, signum: signal.Signals) -> None:
        self.sleepers[name].send_signal(signum)
        if signum is signal.SIGKILL:
            self.sleepers[name].wait()
        else:
            os.waitid(os.P_PID, self.sleepers[name].pid, os.WSTOPPED | os.WNOWAIT)

    def look(self) -> tuple[str, bool, dict[str, str]]:
        found = status.look(self.state)
        return found.supervisor, found.ready, {row.name: row.state for row in found.rows}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    made = Stage(tmp_path, monkeypatch)
    yield made
    made.socket.close()
    for process in made.sleepers.values():
        process.kill()
        process.wait()


READY = dict.fromkeys(NAMES, "ready")


def test_all_is_ready(stage: Stage) -> None:
    assert stage.look() == ("watching", True, READY)


def test_what_a_part_says_of_itself_is_shown(stage: Stage) -> None:
    notes = {row.name: row.note for row in status.look(stage.state).rows}
    assert notes == {"vault": "", "postgres": "", "customers": "set aside: 1 of saga"}


def test_a_paused_part(stage: Stage) -> None:
    stage.send("customers", signal.SIGSTOP)
    assert stage.look() == ("watching", False, READY | {"customers": "paused"})


def test_a_part_that_ended_is_started_again_while_somebody_watches(stage: Stage) -> None:
    stage.send("customers", signal.SIGKILL)
    assert stage.look() == ("watching", False, READY | {"customers": "restarting"})
    stage.send("supervisor", signal.SIGSTOP)
    assert stage.look() == ("paused", False, READY | {"customers": "gone"})


def test_a_supervisor_that_is_gone_is_told_while_its_parts_run(stage: Stage) -> None:
    stage.send("supervisor", signal.SIGKILL)
    stage.send("customers", signal.SIGKILL)
    assert stage.look() == ("gone", False, READY | {"customers": "gone"})
    for name in ("vault", "postgres"):
        stage.send(name, signal.SIGKILL)
    assert stage.look() == ("none", False, {})


@pytest.mark.parametrize("pause", [True, False])
def test_without_vault_a_server_behind_it_is_asked_only_for_its_port(stage: Stage, pause: bool) -> None:
    if pause:
        stage.send("vault", signal.SIGSTOP)
    stage.silent = frozenset({"vault", "postgres"})
    found = {row.name: row for row in status.look(stage.state).rows}
    assert (found["vault"].state, found["postgres"].state) == ("paused" if pause else "waiting", "ready")
    assert "only its port" in found["postgres"].note
    stage.socket.close()
    assert stage.look()[2]["postgres"] == "waiting"
