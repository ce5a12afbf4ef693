"""Clients whose server is dead: they end nothing, and hold nothing up."""

import asyncio

import pytest

from shared.timeouts import asked_to_stop, closed, within


async def gives_up() -> None:
    """As aiokafka's clients do when their broker dies."""
    raise asyncio.CancelledError


async def swallows() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)
            return


async def answer() -> int:
    return 7


async def fails() -> None:
    raise ValueError


async def test_an_answer_passes_through() -> None:
    assert await within(1, answer()) == 7
    with pytest.raises(ValueError):
        await within(1, fails())


async def test_a_client_that_gives_up_is_a_timeout_and_no_end_of_ours() -> None:
    with pytest.raises(TimeoutError):
        await within(1, gives_up())
    assert not await closed(gives_up()) and not await closed(fails()) and await closed(answer())


async def test_a_client_that_swallows_its_cancellation_is_left_behind() -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        await within(0.05, swallows())
    assert asyncio.get_running_loop().time() - began < 0.15
    await asyncio.sleep(0.3)


async def test_who_was_cancelled_is_told_apart() -> None:
    told: list[bool] = []

    async def loop() -> None:
        for work in (gives_up(), asyncio.sleep(3600)):
            try:
                await work
            except asyncio.CancelledError:
                told.append(asked_to_stop())

    task = asyncio.create_task(loop())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert told == [False, True]


async def test_our_own_end_passes_through_and_ends_the_work() -> None:
    inner: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            inner.append("ended")
            raise

    task = asyncio.create_task(within(3600, work()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.05)
    assert inner == ["ended"]
