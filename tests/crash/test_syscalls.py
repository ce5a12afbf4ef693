"""One append, whose every interesting system call once fails with EIO or ENOSPC, or kills the process. fsck is the judge.

KEPT_CRASH_EXHAUSTIVE=1 takes every call; else an even selection of CASES_PER_CALL for each call and fault.
"""

import asyncio
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.blobs import PosixStore
from tests.crash import strace
from tests.crash.extent import EXHAUSTIVE
from tests.crash.worker import Database, own, owner
from tests.support.logs import grow, judged, open_shard

BEFORE, AFTER = 250, 610
CASES_PER_CALL = 4
CALLS = {  # name -> error that the file system may give there
    "openat": "ENOSPC",
    "mkdir": "ENOSPC",
    "write": "ENOSPC",
    "fsync": "EIO",
    "fdatasync": "EIO",
    "link": "ENOSPC",
    "linkat": "ENOSPC",
    "rename": "EIO",
    "renameat": "EIO",
    "renameat2": "EIO",
    "flock": "ENOLCK",
    "read": "EIO",
    "sendto": "",  # to PostgreSQL, and to wake up its own event loop: killed there, never refused
    "recvfrom": "",
}
_CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\(")


@pytest.fixture(autouse=True)
def _strace() -> None:
    strace.required()


class Begun:
    """A shard of BEFORE records, to be begun again for each case."""

    def __init__(self, database: Database, place: Path) -> None:
        self.database, self._template, self.root, self._out = database, place / "template", place / "log", place / "strace"
        self._root = b""

    async def make(self) -> None:
        shard = await grow(lambda: open_shard(PosixStore(self._template), self.database.heads), BEFORE, BEFORE)
        self._root = shard.head.root

    async def append(self, *options: str, tries: int = 1) -> tuple[int, str]:
        """One append under strace: the exit code of its process, and what strace saw."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._template, self.root)
        await self.database.begin(BEFORE, self._root)
        with (
            owner(self.database.url, self.root, AFTER, AFTER, tries) as (process, pipe),
            strace.attached(process.pid or 0, self._out, *options),
        ):
            pipe.send("go")
            await asyncio.to_thread(process.join, 60)
            assert process.exitcode is not None, f"the owner did not end within 60 s: {options}"
            code = process.exitcode
        return code, self._out.read_text()

    async def calls(self) -> dict[str, int]:
        """How often the thread that does it most makes each call in one append: strace counts by thread."""
        code, said = await self.append("-e", f"trace={','.join(CALLS)}")
        assert code == 0
        judged(self.root, AFTER)
        found = Counter((m["thread"], m["name"]) for m in map(_CALL.match, said.splitlines()) if m)
        most: dict[str, int] = {}
        for (_, name), count in found.items():
            most[name] = max(count, most.get(name, 0))
        return most


def _cases(calls: dict[str, int], fault: str) -> Iterator[tuple[str, int]]:
    for name, count in sorted(calls.items()):
        if fault == "error" and not CALLS[name]:
            continue
        step = 1 if EXHAUSTIVE else max(1, count // CASES_PER_CALL)
        yield from ((name, at) for at in range(1, count + 1, step))


@pytest.mark.parametrize("fault", ["error", "killed"])
async def test_every_call_fails_once(tmp_path: Path, database: Database, fault: str) -> None:
    """After an error the same owner tries again, as ingestion does; after a kill, another one goes on."""
    begun, struck = Begun(database, tmp_path), 0
    await begun.make()
    calls = await begun.calls()
    assert {"openat", "write", "fsync", "linkat", "rename"} <= set(calls), calls
    for name, at in _cases(calls, fault):
        how = "signal=KILL" if fault == "killed" else f"error={CALLS[name]}"
        code, said = await begun.append("-e", f"trace={name}", "-e", f"inject={name}:{how}:when={at}", tries=3)
        struck += "(INJECTED)" in said or code == -signal.SIGKILL
        await own(database.heads, begun.root, AFTER, AFTER)
        judged(begun.root, AFTER)
    assert struck >= len(calls), "hardly anything was injected"
