"""Long work, one piece at a time: two copies of one cluster at once would only make both slower."""

import asyncio
import logging
from collections.abc import Coroutine

log = logging.getLogger("kept.backup")


class Runner:
    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Runs `work` after what is running now. Whoever started it looks at its row for the outcome."""
        task = asyncio.create_task(self._run(work))
        self._tasks.add(task)  # asyncio itself holds tasks weakly
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Cancels what runs and waits until it has cleaned up."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, work: Coroutine[None, None, None]) -> None:
        async with self._one:
            await work

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("backup work ended: %s", type(error).__name__)
