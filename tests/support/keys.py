"""A keyring on PostgreSQL alone: Vault is a stand-in that wraps nothing. Also a process that a test kills in the middle,
`python -m tests.support.keys URL make|shred SUBJECT`: it makes or shreds the key, says "done", and never commits."""

import asyncio
import base64
import sys
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.customers.base import TABLES
from shared.access.actor import Actor
from shared.access.decide import Policies
from shared.clock import SystemClock
from shared.db import make_engine, make_sessions
from shared.errors import UnavailableError
from shared.keys.keyring import Keyring
from shared.work import Door

ME = Actor.system("customers")
WRAPPED = "vault:v1:"
AT_ONCE = 5.0  # seconds that nobody needs who waits for nobody


class OpenVault:
    """What one process wraps another unwraps. `away`: as where it is sealed. `asked`: how many keys each call brought."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[int] = []

    async def require(self) -> None:
        if self.away:
            raise UnavailableError("vault")

    async def encrypt(self, key: str, values: Sequence[bytes]) -> list[str]:
        return [WRAPPED + base64.b64encode(one).decode() for one in values]

    async def decrypt(self, key: str, values: Sequence[str]) -> list[bytes]:
        self.asked.append(len(values))
        return [base64.b64decode(one.removeprefix(WRAPPED)) for one in values]


def door_on(engine: AsyncEngine, vault: OpenVault | None = None, service: str = "customers") -> Door:
    """The door of one process of a service: each has a keyring of its own."""
    keyring = Keyring(service, cast(Any, vault or OpenVault()), TABLES)
    return Door(service, make_sessions(engine), SystemClock(), Policies.load(), keyring)


async def until_blocked(engine: AsyncEngine, *tasks: "asyncio.Task[Any]") -> None:
    """Until as many wait, each for another's transaction."""
    query = text("SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0")
    async with asyncio.timeout(AT_ONCE):
        while True:
            assert not any(task.done() for task in tasks), "it did not wait"
            async with engine.connect() as connection:
                if await connection.scalar(query) == len(tasks):
                    return
            await asyncio.sleep(0.01)


async def main(url: URL, what: str, subject: str) -> None:
    async with door_on(make_engine(url)).begin(ME) as w:
        await (w.create_keys([subject]) if what == "make" else w.shred(subject))
        print("done", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(make_url(sys.argv[1]), *sys.argv[2:]))
