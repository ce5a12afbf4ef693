"""A server that is asked to stop where another process goes on: it says so first, and answers until nobody asks it any more."""

import asyncio
from types import FrameType

import uvicorn

from shared.http.readiness import Stopping


class StoppingServer(uvicorn.Server):
    """uvicorn's. Asked to stop it says so in /readyz for `drain_seconds`, and stops then. Asked again it stops at once."""

    def __init__(self, config: uvicorn.Config, drain_seconds: float) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came; on the thread of the event loop, in the midst of anything."""
        if Stopping.begun or not self._drain_seconds:
            return super().handle_exit(sig, frame)
        Stopping.begun = True
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, self._drain_seconds, super().handle_exit, sig, frame)  # wakes it, too
