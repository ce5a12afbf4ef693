"""What holds a service together: it waits for its secrets, and does not outlive its own work."""

import asyncio
import signal
import subprocess
import sys
from typing import cast

import pytest

from shared import service
from shared.errors import UnavailableError
from shared.keys.vault import Vault
from shared.work import Door


class Sealed:
    """A Vault that is unsealed after some questions."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def kv(self, path: str) -> dict[str, str]:
        self.times -= 1
        if self.times >= 0:
            raise UnavailableError
        return {"password": path}


async def test_a_service_waits_for_its_first_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "VAULT_WAIT_SECONDS", 0)
    assert await service.secret(cast(Vault, Sealed(3)), "demo/database") == "demo/database"


class Letting:
    closed = False

    async def close(self) -> None:
        self.closed = True


async def test_work_lasts_as_long_as_the_service_and_then_the_database_is_let_go() -> None:
    seen: list[str] = []

    async def forever(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(name)

    door = Letting()
    async with service.at_work(cast(Door, door), forever("relay"), forever("handlers")):
        await asyncio.sleep(0)
        assert not seen and not door.closed
    assert sorted(seen) == ["handlers", "relay"] and door.closed


ENDS = """
import asyncio
from shared import service, telemetry

class Letting:
    async def close(self): print("let go", flush=True)

async def relay(): raise ValueError("luisg@embraer.com.br")

async def main():
    telemetry.setup("demo")
    async with service.at_work(Letting(), relay()):
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_work_that_ends_ends_the_process_and_says_so_without_values() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGTERM
    assert '"relay ended, and the service with it"' in done.stderr and '"error": "ValueError"' in done.stderr
    assert "luisg" not in done.stderr
