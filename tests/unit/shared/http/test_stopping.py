"""Asked to stop, a server that is one of two says so first."""

import asyncio
import signal

import pytest
import uvicorn

from shared.http.readiness import Stopping
from shared.http.stopping import StoppingServer


async def _app(*_: object) -> None: ...


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stopping, "begun", False)


def server(drain_seconds: float) -> StoppingServer:
    return StoppingServer(uvicorn.Config(_app), drain_seconds)


@pytest.mark.usefixtures("stopping")
async def test_it_says_so_and_stops_later() -> None:
    one = server(0.05)
    one.handle_exit(signal.SIGTERM, None)
    assert Stopping.begun and not one.should_exit
    async with asyncio.timeout(10):
        while not one.should_exit:
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("stopping")
async def test_asked_again_or_where_there_is_no_other_it_stops_at_once() -> None:
    alone, hurried = server(0), server(60)
    alone.handle_exit(signal.SIGTERM, None)
    assert alone.should_exit and not Stopping.begun
    hurried.handle_exit(signal.SIGTERM, None)
    hurried.handle_exit(signal.SIGTERM, None)
    assert hurried.should_exit
