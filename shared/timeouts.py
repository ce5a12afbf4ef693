"""Waiting for clients whose server may be dead: never for ever, and never taken for our own end.

aiokafka's clients may, when their broker dies, wait without an end, swallow a cancellation, or raise a CancelledError that
nobody asked for. A task that let the last one through would end in silence.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")
END_SECONDS_MAX = 5.0

log = logging.getLogger(__name__)


def asked_to_stop() -> bool:
    """In `except CancelledError`: whether this very task was cancelled, or a library raised it on its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Its result; TimeoutError after `seconds`, or where it was cancelled from inside. What does not end is left behind,
    cancelled, and not waited for: it may swallow that too."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        task.add_done_callback(_heard)
    if not done or task.cancelled():
        raise TimeoutError
    return task.result()


async def closed(end: Awaitable[object]) -> bool:
    """Close a client: no error and no silence of it may hold up the next try. Whether it closed cleanly."""
    try:
        await within(END_SECONDS_MAX, end)
    except Exception as why:
        log.warning("a client did not end cleanly: %s", type(why).__name__)
        return False
    return True


def _heard(task: "asyncio.Future[T]") -> None:
    """Its late error is nobody's any more."""
    if not task.cancelled():
        task.exception()
