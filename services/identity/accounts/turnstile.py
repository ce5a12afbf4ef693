"""Few sign-ins at a time: each holds a connection and, while its password is hashed, 46 MiB."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.http.admission import Admission

at_once_max = 4  # of the connections of the pool: the others stay for those who are signed in
of_one_source = 16  # waiting; a whole office behind one address that begins its day together tries again two seconds later
waiting_max = 60  # some ten seconds of waiting; a longer queue is an attack, and answers sooner


class Turnstile:
    """A queue with an end."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(at_once_max)
        self._queue = Admission(of_one=at_once_max + of_one_source, of_all=at_once_max + waiting_max)

    @asynccontextmanager
    async def turn(self, source: str = "") -> AsyncIterator[None]:
        """One's turn. TooManyError when too many from this source wait already: each has its share of the queue, so that
        nobody fills it."""
        with self._queue.admitted(source):
            async with self._gate:
                yield
