"""Processes of one version beside those of another, on the same servers: `python -m services.<name>.app` of each one's code."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.local import control, environment
from deploy.local.state import State
from tests.support.insider import wait_until
from tests.support.platform import free_port
from tests.support.staff import credentials, try_codes
from tests.upgrade.installation import KEPT, put

SERVICES = ("identity", "customers")


@dataclass(frozen=True)
class Side:
    """The running processes of one version."""

    state: State
    addresses: dict[str, str]
    processes: dict[str, "subprocess.Popen[bytes]"]

    def signed_in(self, name: str) -> str:
        """A token of this side's identity."""
        return try_codes(self.addresses["identity"], credentials(self.state, name))

    def customers(self, token: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}", "X-Purpose": "support"}
        return httpx.Client(base_url=self.addresses["customers"], headers=headers, timeout=30)

    def end(self) -> None:
        """As a rolling upgrade ends them."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(30)


@contextmanager
def servers() -> Iterator[State]:
    """The installation of then, with the three servers and no service."""
    root = Path(tempfile.mkdtemp(prefix="kept-side-")).resolve()
    root.chmod(0o711)
    state = State(root)
    try:
        asyncio.run(put(state))
        with pytest.MonkeyPatch.context() as patch:  # the platform of the other tests may have the port that is named there
            patch.setenv("KEPT_PORT", str(free_port()))
            control.start(state, only_servers=True)
        environment.write_all(state)
        with tarfile.open(KEPT / "code.tar.xz") as archive:
            archive.extractall(root / "code", filter="data")
        yield state
    finally:
        control.stop(state)
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def side(state: State, code: Path) -> Iterator[Side]:
    """Identity and customers of the version in `code`, ready."""
    with ExitStack() as ends:
        numbers = {name: free_port() for name in SERVICES}
        processes = {name: ends.enter_context(_process(state, code, name, numbers)) for name in SERVICES}
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in numbers.items()}
        found = Side(state, addresses, processes)
        for name in SERVICES:
            wait_until(lambda name=name: _ready(found, name))  # type: ignore[misc]
        yield found


def _ready(found: Side, name: str) -> bool:
    assert found.processes[name].poll() is None, f"{name} ended: {(found.state.logs / f'{name}.log').read_text()[-2000:]}"
    answer = httpx.get(f"{found.addresses[name]}/readyz", timeout=5)
    return answer.status_code == httpx.codes.OK  # whoever comes second waits for the relay to be free: that is no fault


@contextmanager
def _process(state: State, code: Path, name: str, numbers: dict[str, int]) -> Iterator["subprocess.Popen[bytes]"]:
    own = {
        "KEPT_HTTP_PORT": str(numbers[name]),
        "KEPT_PUBLIC_ORIGIN": f"http://127.0.0.1:{numbers[name]}",
        "KEPT_JWKS_URL": f"http://127.0.0.1:{numbers['identity']}/.well-known/jwks.json",
    }
    env = {key: value for key, value in environment.read(state, name).items() if key != "KEPT_ORIGINS"} | own
    with state.log_file(name).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}.app"],
            cwd=code,
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], **env},
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
