"""The queue before the sign-in has an end."""

import asyncio

import pytest

from services.identity.sessions import turnstile
from services.identity.sessions.turnstile import Turnstile
from shared.errors import TooManyError


async def test_few_at_a_time_a_short_queue_and_the_rest_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "waiting_max", 2)
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
        assert gate._here == 1
