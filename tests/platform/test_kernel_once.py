"""A request done once, on the real database: repeated, changed, at the same moment, after a crash, after a day."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from shared.clock import FixedClock
from shared.errors import ConflictError, InvalidInputError
from shared.once import KEPT_FOR, AnsweredBefore, Impersonal, Once
from tests.support.kernel import ME, Kernel, open_kernel

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"


class Done(Impersonal):
    id: str


class Personal(BaseModel):
    email: str


def once(key: str = KEY, *, actor: str = "sub_jane", request: bytes = b"POST /a") -> Once:
    return Once(key, actor, request, 201)


async def act(kernel: Kernel, request: Once, *, answer: Any = None, crash: bool = False) -> None:
    """A change (a row of the inbox stands for it) under `request`."""
    async with kernel.door.begin(ME, once=request) as w:
        await w.session.execute(text("INSERT INTO inbox (ce_id) VALUES (gen_random_uuid())"))
        if answer is not None:
            request.answer(answer)
        if crash:
            raise RuntimeError("killed before the commit")


async def test_sent_again_it_is_done_once_and_answered_alike(kernel: Kernel) -> None:
    await act(kernel, once(), answer=Done(id="apr_1"))
    for _ in range(3):
        with pytest.raises(AnsweredBefore) as before:
            await act(kernel, once(), answer=Done(id="apr_2"))
        assert (before.value.status, before.value.body) == (201, b'{"id":"apr_1"}')
    assert await kernel.count("inbox") == 1


async def test_another_request_under_the_same_key_is_refused_and_another_actor_is_another(kernel: Kernel) -> None:
    await act(kernel, once(), answer=Done(id="apr_1"))
    with pytest.raises(InvalidInputError):
        await act(kernel, once(request=b"POST /b"))
    await act(kernel, once(actor="sub_steve", request=b"POST /b"), answer=Done(id="apr_2"))
    assert await kernel.count("inbox") == 2


async def test_what_failed_or_died_before_its_commit_may_be_tried_again(kernel: Kernel) -> None:
    with pytest.raises(RuntimeError):
        await act(kernel, once(), answer=Done(id="apr_1"), crash=True)
    assert await kernel.count("inbox") == await kernel.count("idempotency") == 0
    await act(kernel, once(), answer=Done(id="apr_2"))
    assert await kernel.count("inbox") == 1


async def test_while_the_first_runs_the_second_is_told_so_at_once(kernel: Kernel) -> None:
    async with kernel.door.begin(ME, once=once()):
        with pytest.raises(ConflictError):
            await asyncio.wait_for(act(kernel, once()), 10)
    assert await kernel.count("idempotency") == 1


async def test_of_many_at_the_same_moment_one_acts(kernel: Kernel) -> None:
    answers = await asyncio.gather(*(act(kernel, once(), answer=Done(id="x")) for _ in range(8)), return_exceptions=True)
    assert answers.count(None) == 1 == await kernel.count("inbox")
    assert all(isinstance(one, AnsweredBefore | ConflictError) for one in answers if one is not None)


async def test_an_answer_with_personal_data_is_not_kept(kernel: Kernel) -> None:
    await act(kernel, once(), answer=Personal(email="luisg@embraer.com.br"))
    with pytest.raises(ConflictError):
        await act(kernel, once(), answer=Personal(email="luisg@embraer.com.br"))
    assert await kernel.count("idempotency WHERE body IS NULL") == 1


async def test_after_a_day_the_key_means_nothing(kernel: Kernel) -> None:
    clock = FixedClock(datetime(2026, 11, 24, tzinfo=UTC))
    kernel.door.clock = clock
    await act(kernel, once(), answer=Done(id="apr_1"))
    clock.advance(KEPT_FOR - timedelta(seconds=1))
    with pytest.raises(AnsweredBefore):
        await act(kernel, once())
    clock.advance(timedelta(seconds=2))
    await act(kernel, once(), answer=Done(id="apr_2"))
    assert await kernel.count("inbox") == 2 and await kernel.count("idempotency") == 1
