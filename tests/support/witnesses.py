"""Witnesses as a second team runs them: processes of `kept audit witness`, and what others say of their cosignatures."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.fsck import MODULE
from tests.support.platform import free_port
from tests.support.tools import built_from

START_SECONDS_MAX = 60


@dataclass
class WitnessProcess:
    """One witness, on one port through all its lives. `keys`: the file of whom it trusts."""

    state: Path
    name: str
    keys: Path
    logs: Sequence[str] = ()
    key_type: str = "ed25519"
    port: int = field(default_factory=free_port)
    vkey: str = ""
    process: "subprocess.Popen[str] | None" = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Until it listens: its first words come after that."""
        words = [str(self.state), "--keys", str(self.keys), "--name", self.name, "--key-type", self.key_type]
        words += ["--port", str(self.port), "--json"]
        words += [word for log in self.logs for word in ("--log", log)]
        with (self.state.parent / f"{self.state.name}.log").open("a") as log_file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "audit", "witness", *words],
                stdout=subprocess.PIPE,
                stderr=log_file,
                text=True,
            )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        assert said["ok"], said
        self.vkey = said["vkey"]
        httpx.get(f"{self.address}/livez", timeout=START_SECONDS_MAX, trust_env=False).raise_for_status()

    def kill(self) -> None:
        """kill -9"""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def hang(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.wake()
            self.process.terminate()
            self.process.wait(30)


@contextmanager
def witnesses(
    root: Path, keys: Path, names: Sequence[str], logs: Sequence[str] = (), last: str = "ed25519"
) -> Iterator[list[WitnessProcess]]:
    """Several, running; stopped at the end, whatever became of them. `last`: the type of the last one's key."""
    found = [WitnessProcess(root / f"witness-{n}", name, keys, logs) for n, name in enumerate(names)]
    found[-1].key_type = last
    try:
        for one in found:
            one.start()
        yield found
    finally:
        for one in found:
            one.stop()


def cosign(note: str, vkeys: Sequence[str], sign: str = "") -> "subprocess.CompletedProcess[str]":
    """The verdict of tests/foreign/witness/cosign: exit code 0 where every vkey has a line that verifies, and the note on
    standard output, with the cosignature of the private key `sign` (PRIVATE+KEY+…) added by it."""
    asked = json.dumps({"note": note, "vkeys": list(vkeys), "sign": sign})
    program = built_from(MODULE / "witness", "./cosign")
    return subprocess.run([program], input=asked, capture_output=True, text=True, timeout=120, check=False)
