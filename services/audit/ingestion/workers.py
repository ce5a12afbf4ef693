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
from dataclasses import replace

from services.audit.ingestion.said import Ingesting, Said
from services.audit.log.witnesses import NOT_ASKED, SIGNS
from shared import leader
from shared.errors import UnavailableError
from shared.loops.forever import forever, health

log = logging.getLogger("kept.audit.ingest")
AGAIN_SECONDS = 1.0
END_SECONDS_MAX = 5.0
MODULE = "services.audit.ingestion.worker"


class Workers(Ingesting):
    """As ingestion in the own process."""

    def __init__(self, count: int, published: Callable[[], None]) -> None:
        self._count = count
        self._published = published
        self._said = [Said()] * count

    @property
    def said(self) -> Said:
        """Of the witnesses what the worker says that has the most to say: one that has no shard has asked nobody."""
        told = sorted(
            (pair for one in self._said for pair in one.witnesses.items()),
            key=lambda pair: (pair[1] != NOT_ASKED) + (pair[1] not in (NOT_ASKED, SIGNS)),
        )
        return Said(
            all(one.ready for one in self._said),
            {name: code for one in self._said for name, code in one.faults.items()},
            {shard: records for one in self._said for shard, records in one.behind.items()},
            {shard: leaves for one in self._said for shard, leaves in one.unwitnessed.items()},
            dict(told),
        )

    async def run(self) -> None:
        """Each by itself, until cancelled."""
        await asyncio.gather(*(self._forever(number) for number in range(self._count)))

    async def _forever(self, number: int) -> None:
        await forever(f"worker {number}", lambda: self._life(number), every=AGAIN_SECONDS, pause_max=AGAIN_SECONDS)

    async def _life(self, number: int) -> None:
        command = (sys.executable, "-m", MODULE, str(number), str(self._count))
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        try:
            await self._listen(number, process)
        finally:
            self._said[number] = replace(self._said[number], ready=False)
            leader.of_child(f"worker {number}", ())
            await _ended(process)
        log.error("ingestion worker %d ended with %s: started anew", number, process.returncode)

    async def _listen(self, number: int, process: Process) -> None:
        if process.stdout is None:
            raise UnavailableError("a worker without a voice")
        async for line in process.stdout:
            said = json.loads(line)
            health(f"worker {number}").well()
            self._said[number] = Said.of(said)
            leader.of_child(f"worker {number}", said["duties"])
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
