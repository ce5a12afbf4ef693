"""What hangs, as against what is gone: it takes no time and no place from the others, and its own callers hear so in time."""

import asyncio
import time

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from deploy.gateway.config import ANSWER_SECONDS_MAX
from shared import bounded
from shared.db import make_engine
from tests.support.insider import wait_until
from tests.support.kernel import Kernel, open_kernel
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
kernel = pytest.fixture(open_kernel)
AT_ONCE = 60  # more than a service has threads and connections
IN_TIME = ANSWER_SECONDS_MAX + 10  # this machine does other things as well
ASK = {"right": "access", "email": "hung@example.org"}


async def at_once(client: httpx.AsyncClient, method: str, path: str, form: dict[str, str] | None = None) -> set[int]:
    """The statuses of AT_ONCE answers; each came in time, and a 5xx says when to come again."""

    async def one() -> int:
        begun = time.monotonic()
        answer = await client.request(method, path, data=form)
        assert time.monotonic() - begun < IN_TIME, answer.status_code
        assert answer.status_code < 500 or int(answer.headers["Retry-After"]) > 0, answer.text
        return answer.status_code

    return set(await asyncio.gather(*(one() for _ in range(AT_ONCE))))


def browser(platform: Platform) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=AT_ONCE + 10)
    return httpx.AsyncClient(base_url=platform.origin, timeout=2 * IN_TIME, limits=limits)


def answers(platform: Platform, method: str, path: str, status: int, form: dict[str, str] | None = None) -> bool:
    return httpx.request(method, platform.origin + path, data=form, timeout=IN_TIME).status_code == status


async def test_a_service_that_hangs_is_told_of_in_time_and_the_others_answer(platform: Platform) -> None:
    async with browser(platform) as client:
        with platform.paused("customers"):
            hanging = asyncio.create_task(at_once(client, "GET", "/customers"))
            for _ in range(10):
                begun = time.monotonic()
                assert (await client.get("/signin")).status_code == 200 and (await client.get("/")).status_code == 200
                assert time.monotonic() - begun < 5, "the others have their time"
            assert await hanging == {504}
    assert wait_until(lambda: answers(platform, "GET", "/customers", 401), seconds=60)


async def test_a_key_service_that_hangs_piles_nothing_up(platform: Platform) -> None:
    async with browser(platform) as client:
        with platform.paused("vault"):
            assert await at_once(client, "POST", "/", ASK) == {503}
            assert (await client.get("/signin")).status_code == 200
    assert wait_until(lambda: answers(platform, "POST", "/", 303, ASK), seconds=60)


async def test_a_database_that_hangs_piles_nothing_up(platform: Platform) -> None:
    async with browser(platform) as client:
        with platform.paused("postgres"):
            assert await at_once(client, "POST", "/", ASK) <= {503, 504}
            assert (await client.get("/signin")).status_code == 200
    assert wait_until(lambda: answers(platform, "POST", "/", 303, ASK), seconds=60)


async def test_a_statement_has_its_time(platform: Platform, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "STATEMENT_SECONDS_MAX", 1)
    engine = make_engine(kernel.engine.url)
    try:
        begun = time.monotonic()
        with pytest.raises(OperationalError) as error:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(60)"))
        assert error.value.connection_invalidated and time.monotonic() - begun < 20
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT 17")) == 17, "the answer of another statement is none"
    finally:
        await engine.dispose()
