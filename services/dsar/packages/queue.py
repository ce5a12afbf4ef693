"""Where packages are made: beside the database, so that whoever waits for one keeps nobody else from anything.

Opening, packing and locking with a passphrase (scrypt: a second and a quarter of a GiB, on purpose) take seconds. All of it is
done between two transactions, never inside one: nobody holds a connection meanwhile. A request has one package under way at a
time, a source has its share of the queue, and the queue has an end: in number, and in time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.dsar.packages import seal
from services.dsar.packages.actions import Contents, Made, packed
from shared.errors import TooManyError
from shared.http.admission import Admission

AT_ONCE = 2  # each is in memory some times over: sealed, opened, packed (saga/parts.py says how large), and scrypt's own
OF_ONE_SOURCE = 8  # with the waiting ones: a family or an office behind one address
WAITING_MAX = 30  # some minute of waiting; a longer queue is an attack, and answers sooner
WAIT_SECONDS_MAX = 100.0  # for one's turn: then the page says so, before the gateway gives up on us (deploy/gateway)
AGAIN_SECONDS = 30
PHRASE_CHARS_MAX = 256


@dataclass(frozen=True)
class Lock:
    """What the person wants their package locked with: a passphrase, or their own key (age); neither: it is not locked."""

    phrase: str = field(default="", repr=False)
    recipient: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.phrase or self.recipient)


class PackageQueue:
    """All packages of this process."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._queue = Admission(of_one=OF_ONE_SOURCE, of_all=AT_ONCE + WAITING_MAX)
        self._under_way: dict[str, tuple[Lock, asyncio.Task[Made]]] = {}

    async def make(self, request_id: str, source: str, lock: Lock, gather: Callable[[], Awaitable[Contents]]) -> Made:
        """The package of what `gather` brings, which has its own transaction. A second click gets what the first one gets.

        TooManyError: the same request's is being made with another lock, too many wait, or the turn did not come.
        InvalidInputError: the recipient is none. Whatever `gather` raises."""
        there = self._under_way.get(request_id)
        if there is None:
            task = asyncio.create_task(self._make(source, lock, gather))
            self._under_way[request_id] = there = (lock, task)
            task.add_done_callback(lambda done: self._over(request_id, done))
        if there[0] != lock:
            raise TooManyError("this package is being made already", retry_after=AGAIN_SECONDS)
        return await asyncio.shield(there[1])  # one who goes away takes nothing from the others

    def _over(self, request_id: str, done: asyncio.Task[Made]) -> None:
        del self._under_way[request_id]
        if not done.cancelled():
            done.exception()  # everybody who waited may be gone

    async def _make(self, source: str, lock: Lock, gather: Callable[[], Awaitable[Contents]]) -> Made:
        with self._queue.admitted(source):
            try:
                async with asyncio.timeout(WAIT_SECONDS_MAX):
                    await self._gate.acquire()
            except TimeoutError:
                raise TooManyError("too many packages are being made", retry_after=AGAIN_SECONDS) from None
            try:
                return await asyncio.to_thread(_packed, await gather(), lock)
            finally:
                self._gate.release()


def _packed(contents: Contents, lock: Lock) -> Made:
    content, said, unreadable = packed(contents)
    locked = seal.lock(content, phrase=lock.phrase[:PHRASE_CHARS_MAX], recipient=lock.recipient.strip())
    return Made(locked, said, frozenset(unreadable), bool(lock))
