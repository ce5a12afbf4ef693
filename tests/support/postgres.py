"""PostgreSQL alone, as deploy/local starts it: for tests that need services' tables and nothing else."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import URL

from deploy.local.catalog import SERVICES
from deploy.local.part import NotYetError
from deploy.local.postgres import Postgres
from deploy.local.state import State
from deploy.local.vault import Secrets
from tests.support.platform import free_port

WORD = "made-up"
START_SECONDS_MAX = 60.0


class _Words:
    async def password(self, name: str) -> str:
        return WORD


@asynccontextmanager
async def server(**settings: str) -> AsyncIterator[dict[str, URL]]:
    """A server in a temporary state, with further `settings` of PostgreSQL; yields the address of each service's database."""
    root = Path(tempfile.mkdtemp(prefix="kept-postgres-")).resolve()
    root.chmod(0o711)  # PostgreSQL's user must pass through
    port = free_port()
    try:
        async with running(State(root), port, **settings) as part:
            await _ready(part.settle)
            yield {name: URL.create("postgresql+psycopg", name, WORD, "127.0.0.1", port, name) for name in SERVICES}
    finally:
        shutil.rmtree(root, ignore_errors=True)


@asynccontextmanager
async def running(state: State, port: int, **settings: str) -> AsyncIterator[Postgres]:
    """The server of `state` alone, made where there is none, without databases of ours. What it holds at the end is kept."""
    part = Postgres(state, {"postgres": port}, cast(Secrets, _Words()))
    launch = await part.prepare()
    argv = (*launch.argv, *(f"--{name}={value}" for name, value in settings.items()))
    with (state.root / "server.log").open("w") as out:
        process = subprocess.Popen(
            argv, cwd=launch.cwd, user=launch.uid, group=launch.gid, stdout=out, stderr=out, start_new_session=True,
            extra_groups=None if launch.uid is None else [],
        )  # fmt: skip
    try:
        await _ready(part.probe)
        yield part
    finally:
        process.send_signal(part.stop_signal)
        process.wait(timeout=30)


async def _ready(step: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            try:
                return await step()
            except NotYetError:
                await asyncio.sleep(0.1)
