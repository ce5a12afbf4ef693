"""The queue before the sign-in has an end."""

import asyncio

import pytest

from services.identity.accounts import turnstile
from services.identity.accounts.turnstile import Turnstile
from shared.errors import TooManyError


async def test_few_at_a_time_a_short_queue_and_the_rest_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "of_one_source", 2)
    gate, most, inside, go = Turnstile(), 0, 0, asyncio.Event()

    async def come() -> None:
        nonlocal most, inside
        async with gate.turn():
            inside += 1
            most = max(most, inside)
            await go.wait()
            inside -= 1

    people = [asyncio.create_task(come()) for _ in range(turnstile.at_once_max + 5)]
    await asyncio.sleep(0.01)
    go.set()
    outcomes = await asyncio.gather(*people, return_exceptions=True)
    assert most == turnstile.at_once_max
    assert sum(isinstance(one, TooManyError) for one in outcomes) == 3
    async with gate.turn():  # and afterwards it is open again
        assert gate._queue._total == 1


async def test_a_source_that_fills_its_share_keeps_nobody_else_from_the_queue() -> None:
    gate, go = Turnstile(), asyncio.Event()

    async def come(source: str) -> None:
        async with gate.turn(source):
            await go.wait()

    strangers = [asyncio.create_task(come(f"10.0.0.{number % 3}")) for number in range(300)]
    await asyncio.sleep(0.01)
    owner = asyncio.create_task(come("9.9.9.9"))
    await asyncio.sleep(0.01)
    assert not owner.done(), "it waits for its turn, and was not sent away"
    go.set()
    await owner
    assert any(isinstance(one, TooManyError) for one in await asyncio.gather(*strangers, return_exceptions=True))
