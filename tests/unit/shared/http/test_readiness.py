"""A part that hangs is named in time, and asked once."""

import asyncio

import pytest

from shared.http import readiness
from shared.http.readiness import Readiness


async def _yes() -> bool:
    return True


async def test_what_hangs_is_named_and_asked_once_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "SECONDS_MAX", 0.05)
    asked, back = 0, asyncio.Event()

    async def hangs() -> bool:
        nonlocal asked
        asked += 1
        await back.wait()
        return True

    parts = Readiness({"vault": _yes, "database": hangs})
    async with asyncio.timeout(60):
        assert await parts.waits_for() == ["database"]
        assert await asyncio.gather(parts.waits_for(), parts.waits_for()) == [["database"]] * 2
    assert asked == 1
    back.set()
    assert await parts.waits_for() == [] and asked == 1
    assert await parts.waits_for() == [] and asked == 2


async def test_what_cannot_be_asked_is_not_ready() -> None:
    async def broken() -> bool:
        raise OSError

    async def no() -> bool:
        return False

    assert await Readiness({"vault": broken, "bus": no, "database": _yes}).waits_for() == ["vault", "bus"]
    assert await Readiness({}).waits_for() == []


async def test_a_service_serves_as_long_as_nothing_is_away_that_it_needs_for_that() -> None:
    parts = Readiness({"vault": _yes, "database": _yes}, {"bus": _yes, "log": _yes})
    assert parts.parts == ["vault", "database", "bus", "log"]
    assert parts.serves([]) and parts.serves(["bus", "log"])
    assert not parts.serves(["database"]) and not parts.serves(["vault", "bus"])
