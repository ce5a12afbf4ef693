"""Heavy work in turn: one at a time of each person, few of all, and nobody waits for ever."""

import asyncio

import pytest

from shared.errors import TooManyError
from shared.turns import WAITING_MAX, Turns


async def settled() -> None:
    """Whoever can go on has."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_two_of_one_person_are_done_one_after_the_other_and_anothers_beside_them() -> None:
    turns, done, end = Turns(1), list[str](), asyncio.Event()

    async def work(whose: str) -> None:
        async with turns.own(whose):
            done.append(whose)
            await end.wait()

    tasks = [asyncio.create_task(work(whose)) for whose in ("a", "a", "b")]
    await settled()
    assert done == ["a", "b"]
    end.set()
    await asyncio.gather(*tasks)
    assert done == ["a", "b", "a"]


async def test_of_all_only_so_many_are_done_at_once() -> None:
    turns, here, end = Turns(2), list[int](), asyncio.Event()

    async def work(number: int) -> None:
        async with turns.of_all():
            here.append(number)
            await end.wait()

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await settled()
    assert here == [0, 1]
    end.set()
    await asyncio.gather(*tasks)
    assert sorted(here) == [0, 1, 2, 3, 4]


async def test_who_waits_too_long_is_told_to_come_again_and_takes_nobodys_place() -> None:
    turns = Turns(1, seconds=0)
    for place in (turns.of_all, lambda: turns.own("a")):
        async with place():
            with pytest.raises(TooManyError) as refused:
                async with place():
                    pass
            assert refused.value.retry_after > 0
        async with place():
            pass


async def test_so_many_of_one_person_wait_and_no_more() -> None:
    turns, end = Turns(1), asyncio.Event()

    async def work() -> None:
        async with turns.own("a"):
            await end.wait()

    tasks = [asyncio.create_task(work()) for _ in range(1 + WAITING_MAX)]
    await settled()
    with pytest.raises(TooManyError):
        await work()
    async with turns.own("b"):
        end.set()
    await asyncio.gather(*tasks)
    await work()
    assert not turns._own and not turns._here, "nobody is remembered"


async def test_a_place_comes_back_from_who_fails_or_is_called_off() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="x"):
        async with turns.own("a"), turns.of_all():
            raise ValueError("x")

    async def work() -> None:
        async with turns.own("a"), turns.of_all():
            await asyncio.Event().wait()

    first, second = asyncio.create_task(work()), asyncio.create_task(work())
    await settled()
    for task in (second, first):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    async with turns.own("a"), turns.of_all():
        pass
