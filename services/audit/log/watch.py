"""Work that stands still is given up: a client whose broker died may wait for ever."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

LOOK_SECONDS = 1.0


class Watch:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._beat = 0.0

    def beat(self) -> None:
        """What the work says as long as it goes on."""
        self._beat = time.monotonic()

    async def over(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; TimeoutError when it did not beat for too long, or was cancelled from inside."""
        self.beat()
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=LOOK_SECONDS)
                if time.monotonic() - self._beat > self._seconds:
                    raise TimeoutError
        finally:
            task.cancel()
        if task.cancelled():
            raise TimeoutError
        task.result()
