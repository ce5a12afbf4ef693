"""The body of a request, in time and within its limit; and an answer whose client stays."""

import asyncio
import time
from collections.abc import Callable

from starlette.types import Message, Receive, Send

from shared.errors import TooLargeError, TooSlowError
from shared.http import limits

Clock = Callable[[], float]


class GoneError(OSError):
    """The client takes nothing of its answer any more."""


class EnoughError(Exception):
    """Whoever asked with HEAD has all of the answer."""


def in_time(receive: Receive, limit: int, clock: Clock = time.monotonic) -> Receive:
    """`receive` that refuses a body over `limit`, also one that comes in chunks and does not tell its length, and one that
    comes too slowly. Only waiting counts: while the service itself is busy, nobody is slow."""
    taken, waited, whole = 0, 0.0, False

    async def counted() -> Message:
        nonlocal taken, waited, whole
        if whole:
            return await receive()  # waits for the end of the connection, as long as the answer takes
        begun, left = clock(), _seconds(taken) - waited
        slow = TooSlowError(f"the body came at less than {limits.BODY_BYTES_PER_SECOND_MIN} bytes a second")
        if left <= 0:
            raise slow
        try:
            async with asyncio.timeout(left):
                message = await receive()
        except TimeoutError:
            raise slow from None
        waited += clock() - begun
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if taken > limit:
                raise TooLargeError(f"the body is over its limit of {limit} bytes")
        return message

    return counted


def _seconds(taken: int) -> float:
    """What a body may have taken when `taken` bytes of it are here."""
    return float(limits.BODY_SECONDS_FREE) + taken / limits.BODY_BYTES_PER_SECOND_MIN


def unstalled(send: Send) -> Send:
    """`send` that gives up on a client that takes nothing, so that it holds no connection to the database for ever."""

    async def sent(message: Message) -> None:
        try:
            async with asyncio.timeout(limits.ANSWER_STALL_SECONDS_MAX):
                await send(message)
        except TimeoutError:
            raise GoneError from None

    return sent
