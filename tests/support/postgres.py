"""PostgreSQL alone, as deploy/local starts it: for tests that need the audit service's tables and nothing else."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import URL

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
    part = Postgres(State(root), {"postgres": port}, cast(Secrets, _Words()))
    launch = await part.prepare()
    argv = (*launch.argv, *(f"--{name}={value}" for name, value in settings.items()))
    with (root / "server.log").open("w") as out:
        process = subprocess.Popen(
            argv, cwd=launch.cwd, user=launch.uid, group=launch.gid, stdout=out, stderr=out, start_new_session=True,
            extra_groups=None if launch.uid is None else [],
        )  # fmt: skip
    try:
        await _ready(part)
        yield {name: URL.create("postgresql+psycopg", name, WORD, "127.0.0.1", port, name) for name in ("audit", "customers")}
    finally:
        process.send_signal(signal.SIGQUIT)  # nothing of it is kept
        process.wait(timeout=30)
        shutil.rmtree(root, ignore_errors=True)


async def _ready(part: Postgres) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            try:
                await part.probe()
                return await part.settle()
            except NotYetError:
                await asyncio.sleep(0.1)
