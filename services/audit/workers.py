"""Ingestion in processes of its own: one per slot, so that the log uses more than one core and the service answers meanwhile.

A worker tells its state on its standard output, one JSON object a line, and ends when its standard input does: also when this
process was killed. A worker that ends is started anew.
"""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

from services.audit.log.witnesses import NOT_ASKED, SIGNS
from shared.errors import UnavailableError

log = logging.getLogger("kept.audit.ingest")
AGAIN_SECONDS = 1.0
END_SECONDS_MAX = 5.0
MODULE = "services.audit.worker"


class Workers:
    """As ingestion in the own process (ingesting.Ingesting)."""

    def __init__(self, count: int, published: Callable[[], None]) -> None:
        self._count = count
        self._published = published
        self._ready = [False] * count
        self._faults: list[dict[str, str]] = [{} for _ in range(count)]
        self._behind: list[dict[str, int]] = [{} for _ in range(count)]
        self._unwitnessed: list[dict[str, int]] = [{} for _ in range(count)]
        self._witnesses: list[dict[str, str]] = [{} for _ in range(count)]

    @property
    def ready(self) -> bool:
        return all(self._ready)

    @property
    def faults(self) -> dict[str, str]:
        return {name: code for one in self._faults for name, code in one.items()}

    @property
    def behind(self) -> dict[str, int]:
        return {shard: records for one in self._behind for shard, records in one.items()}

    @property
    def unwitnessed(self) -> dict[str, int]:
        return {shard: leaves for one in self._unwitnessed for shard, leaves in one.items()}

    @property
    def witnesses(self) -> dict[str, str]:
        """What the worker says that has the most to say: one that has no shard has asked nobody."""
        told = [pair for one in self._witnesses for pair in one.items()]
        return dict(sorted(told, key=lambda pair: (pair[1] != NOT_ASKED) + (pair[1] not in (NOT_ASKED, SIGNS))))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._keep(number))

    async def _keep(self, number: int) -> None:
        while True:
            command = (sys.executable, "-m", MODULE, str(number), str(self._count))
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
            try:
                await self._listen(number, process)
            finally:
                self._ready[number] = False
                await _ended(process)
            log.error("ingestion worker %d ended with %s: started anew", number, process.returncode)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self, number: int, process: Process) -> None:
        if process.stdout is None:
            raise UnavailableError("a worker without a voice")
        async for line in process.stdout:
            said = json.loads(line)
            self._ready[number], self._faults[number], self._behind[number] = said["ready"], said["faults"], said["behind"]
            self._unwitnessed[number], self._witnesses[number] = said["unwitnessed"], said["witnesses"]
            if said["published"]:
                self._published()


async def _ended(process: Process) -> None:
    """Its standard input closes: it ends. Killed where it does not, which costs nothing: the log is made for that."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
