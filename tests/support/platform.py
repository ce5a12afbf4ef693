"""The whole platform for the tests: real servers, real services, in a temporary state on free ports.

KEPT_TEST_STATE=<dir> uses a platform that runs already (and leaves it running); what looks at traces then needs
KEPT_TEST_OTLP=<port>, the one that it was started to send to. KEPT_TEST_KEEP=1 leaves the temporary one.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from deploy.local import control, environment, processes
from deploy.local import ports as port_file
from deploy.local.state import REPOSITORY, State
from tests.support.otlp import Collector

CHINOOK = REPOSITORY / "examples" / "chinook"
READY_SECONDS_MAX = 120.0


@dataclass(frozen=True)
class Platform:
    """What runs, seen from outside."""

    state: State
    collector: Collector = field(default_factory=Collector)  # of the traces that the services send

    @property
    def ports(self) -> dict[str, int]:
        return port_file.load(self.state)

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.ports['gateway']}"

    def environment(self, service: str) -> dict[str, str]:
        """KEPT_* of a service's process."""
        return environment.read(self.state, service)

    def kept(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`kept …`, as typed in a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=900,
            env={**os.environ, "KEPT_STATE": str(self.state.root)},
        )  # fmt: skip

    def process(self, part: str) -> psutil.Process | None:
        return processes.alive(self.state.pid_file(part))

    def kill(self, part: str) -> None:
        """SIGKILL to a part and its children; returns when they are gone. The supervisor starts it again."""
        process = self.process(part)
        assert process is not None, f"{part} does not run"
        family = processes.family(process)
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        for member in family:
            until_ended(member)

    @contextmanager
    def paused(self, part: str) -> Iterator[None]:
        """The part hangs: it is there, and does not answer."""
        process = self.process(part)
        assert process is not None, f"{part} does not run"
        family = processes.family(process)
        for member in family:
            member.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for member in family:
                if member.is_running():
                    member.send_signal(signal.SIGCONT)

    def wait_ready(self, *parts: str, seconds: float = READY_SECONDS_MAX) -> None:
        """Until the supervisor calls every one of `parts` ready (all, without), each with a living process."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = {part["name"]: part for part in control.parts(self.state)}
            wanted = parts or tuple(found)
            if wanted and all(
                found.get(name, {}).get("state") == "ready" and self.process(name) is not None for name in wanted
            ):
                return
            time.sleep(0.2)
        raise AssertionError(f"not ready within {seconds} s: {control.parts(self.state)}")


def until_ended(process: psutil.Process, seconds: float = READY_SECONDS_MAX) -> None:
    """Until it runs no more. On a busy machine that is a while after the signal, and meanwhile it is as ready as before."""
    deadline = time.monotonic() + seconds
    while process.is_running() and _status(process) not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        assert time.monotonic() < deadline, f"{process.pid} still runs after {seconds} s"
        time.sleep(0.02)


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_DEAD)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*, twice: bool = False) -> Iterator[Platform]:
    """Starts (`twice`: two processes of each service), seeds, hands over, stops."""
    borrowed = os.environ.get("KEPT_TEST_STATE")
    # Not pytest's own directory: a socket's path is limited, and PostgreSQL's user must pass through.
    root = Path(borrowed) if borrowed else Path(tempfile.mkdtemp(prefix="kept-test-"))
    platform = Platform(State(root.resolve()), Collector(int(os.environ.get("KEPT_TEST_OTLP", "0"))))
    os.environ["KEPT_STATE"] = str(platform.state.root)
    if borrowed:
        assert control.running(platform.state), f"KEPT_TEST_STATE={borrowed}: nothing runs there"
    else:
        root.chmod(0o711)
        os.environ["KEPT_PORT"] = str(free_port())
        os.environ.update(platform.collector.environment())
        os.environ.setdefault("KEPT_ASKS_PER_SOURCE", "200")  # all tests ask from here
    try:
        if not borrowed:
            control.start(platform.state, only_servers=False, twice=twice)
        seed(platform)
        yield platform
    finally:
        if not borrowed and not os.environ.get("KEPT_TEST_KEEP"):
            control.stop(platform.state)
            shutil.rmtree(root, ignore_errors=True)


def seed(platform: Platform) -> None:
    """The eight employees and the fifty-nine customers, once."""
    from tests.support.staff import signed_in

    done = platform.kept("identity", "import-employees", str(CHINOOK / "employee.csv"))
    assert done.returncode == 0, done.stdout + done.stderr
    content = (CHINOOK / "customer.csv").read_bytes()
    with signed_in(platform, "nancy") as nancy:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:  # that there are such representatives comes over the bus
            answer = nancy.post("/api/customers/imports", content=content, headers={"Content-Type": "text/csv"}, timeout=60)
            if answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        assert answer.status_code in (httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED), answer.text
