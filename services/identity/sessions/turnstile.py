"""Few sign-ins at a time: each holds a connection and, while its password is hashed, 46 MiB."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors import TooManyError

at_once_max = 4  # of the connections of the pool: the others stay for those who are signed in
waiting_max = 60  # some ten seconds of waiting; a longer queue is an attack, and answers sooner


class Turnstile:
    """A queue with an end."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(at_once_max)
        self._here = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One's turn. TooManyError when too many wait already."""
        if self._here >= at_once_max + waiting_max:
            raise TooManyError("too many people sign in at this moment", retry_after=2)
        self._here += 1
        try:
            async with self._gate:
                yield
        finally:
            self._here -= 1
