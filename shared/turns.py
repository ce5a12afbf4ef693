"""Work that is heavy, in turn: one at a time of each person, and a few at a time of all, so that nobody takes a service away
from the others.

Who waits must hold no connection to the database meanwhile, and at most one body of a person's. It belongs to one process.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors import TooManyError

SECONDS_MAX = 60  # that somebody waits; with the work itself under what the gateway waits for an answer
WAITING_MAX = 10  # of one person
AGAIN_SECONDS = 30


class Turns:
    """`at_once`: how many of all. `seconds`: how long one waits for a turn, before being told to come again."""

    def __init__(self, at_once: int, seconds: float = SECONDS_MAX) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._seconds = seconds
        self._own: dict[str, asyncio.Semaphore] = {}
        self._here: dict[str, int] = {}

    @asynccontextmanager
    async def own(self, whose: str) -> AsyncIterator[None]:
        """While the one of `whose` is done, others of theirs wait. TooManyError after too long, or where too many wait."""
        if self._here.get(whose, 0) > WAITING_MAX:
            raise TooManyError("too many of these at once; come again when they are done", retry_after=AGAIN_SECONDS)
        self._here[whose] = self._here.get(whose, 0) + 1
        try:
            async with self._turn(self._own.setdefault(whose, asyncio.Semaphore(1))):
                yield
        finally:
            self._here[whose] -= 1
            if not self._here[whose]:
                del self._here[whose], self._own[whose]

    @asynccontextmanager
    async def of_all(self) -> AsyncIterator[None]:
        """While this is done, the others wait, whosever they are. TooManyError after too long."""
        async with self._turn(self._all):
            yield

    @asynccontextmanager
    async def _turn(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._seconds):
                await places.acquire()
        except TimeoutError:
            raise TooManyError(
                "others of these are under way; come again when they are done", retry_after=AGAIN_SECONDS
            ) from None
        try:
            yield
        finally:
            places.release()
