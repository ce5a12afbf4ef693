"""The portal's limits over a real database: whatever strangers do, the person has a way left, and no mailbox is flooded."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table

from services.dsar.portal.counting import forget_counters
from services.dsar.portal.limits import GUESSES, HOUR, Limits
from services.dsar.portal.model import CODE_LIFE
from services.dsar.portal.tables import Counter
from services.dsar.requests.tables import DataRequest
from services.dsar.settings import DsarSettings
from shared.access.decide import Policies
from shared.clock import FixedClock
from shared.errors import TooManyError
from shared.keys.devices import DEVICE_LIFE
from shared.work import Door
from tests.support.blind import BLIND
from tests.support.kernel import ME, Kernel, open_kernel

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)
ANNA, BEN = "loc_1_00", "loc_1_01"
PERSON = "192.0.2.7"


@dataclass
class Portal:
    """The limits, by a clock of its own."""

    kernel: Kernel
    hands: FixedClock
    door: Door
    limits: Limits

    async def code(self, source: str, mailbox: str = ANNA, device: str = "") -> bool:
        async with self.door.begin(ME) as w:
            return await self.limits.code(w, source, [mailbox], device)

    async def asks(self, source: str, device: str = "") -> int:
        """Seconds to wait; 0: taken."""
        try:
            async with self.door.begin(ME) as w:
                await self.limits.ask(w, source, [ANNA], device)
        except TooManyError as error:
            return error.retry_after
        return 0

    async def was_asked(self, times: int) -> None:
        async with self.door.begin(ME) as w:
            for _ in range(times):
                now, law = w.now, {"right": "access", "language": "en", "law": "eu-gdpr", "article": "15"}
                w.session.add(DataRequest(id=w.new_id("req"), state="received", received_at=now, due_at=now, **law))

    async def proves(self, source: str, mailbox: str = ANNA) -> str:
        async with self.door.begin(ME) as w:
            return await self.limits.proven(w, source, mailbox)

    async def guess(self) -> bool:
        async with self.door.begin(ME) as w:
            return await self.limits.guess(w, ANNA)


@pytest.fixture
async def portal(kernel: Kernel) -> AsyncIterator[Portal]:
    tables: list[Any] = [Counter.__table__, DataRequest.__table__]
    async with kernel.engine.begin() as connection:
        for table in tables:
            assert isinstance(table, Table)
            await connection.run_sync(table.create)
    hands = FixedClock(kernel.door.clock.now())
    door = Door("customers", kernel.door._sessions, hands, Policies.load(), kernel.door.keyring)
    settings = DsarSettings.model_construct(codes_per_hour=5, asks_per_source=60, asks_per_minute=9)
    yield Portal(kernel, hands, door, Limits(BLIND, settings))


async def test_one_stranger_keeps_nobody_from_a_code(portal: Portal) -> None:
    sent = 0
    for _ in range(120):
        portal.hands.advance(timedelta(seconds=30))
        sent += await portal.code("203.0.113.9")
    assert sent <= 6, "three at once, three an hour"
    assert await portal.code(PERSON)


async def test_many_strangers_flood_no_mailbox_and_keep_no_known_device_out(portal: Portal) -> None:
    known = await portal.proves(PERSON)
    sent = [portal.hands.now()]
    for number in range(400):
        portal.hands.advance(timedelta(seconds=18))
        if await portal.code(f"10.0.{number // 250}.{number % 250}"):
            sent.append(portal.hands.now())
        if number % 50 == 0:
            assert await portal.code("10.0.0.1", device=known), "a known device, even from among them"
    assert len(sent) - 1 <= 10 + 2 * 5, "in two hours"
    assert not any([await portal.code(PERSON) for _ in range(5)]), "on a new device there is none for the moment"
    assert portal.hands.now() - sent[-1] < CODE_LIFE, "but the newest mail has one that is good still"
    assert await portal.code(PERSON, BEN), "and other mailboxes have theirs"
    portal.hands.advance(CODE_LIFE)
    assert await portal.code(PERSON), "who had none is among the next, however often they tried"


async def test_a_source_that_had_none_gets_one_when_the_strangers_have_used_theirs_up(portal: Portal) -> None:
    assert [await portal.code(one) for one in ("10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2")] == [True] * 5
    assert not await portal.code("10.0.0.2")
    assert await portal.code(PERSON) and not await portal.code(PERSON)


async def test_a_code_that_was_used_is_given_back(portal: Portal) -> None:
    for _ in range(20):
        assert await portal.code(PERSON)
        await portal.proves(PERSON)


async def test_a_device_has_its_own_limit_for_its_own_mailbox_and_not_for_ever(portal: Portal) -> None:
    known = await portal.proves(PERSON)
    for number in range(20):
        await portal.code(f"10.0.0.{number}")
        await portal.code(f"10.0.0.{number}", BEN)
    assert not await portal.code("10.0.1.1", BEN, known)
    assert [await portal.code(PERSON, device=known) for _ in range(6)] == [True] * 5 + [False]
    portal.hands.advance(DEVICE_LIFE)
    for number in range(20):
        await portal.code(f"10.0.0.{number}")
    assert not await portal.code("10.0.1.1", device=known)


async def test_asking_is_limited_by_source_and_in_all(portal: Portal) -> None:
    known = await portal.proves(PERSON)
    waits = [await portal.asks("203.0.113.9") for _ in range(62)]
    assert waits[:60] == [0] * 60 and 0 < waits[-1] <= 60
    assert await portal.asks(PERSON) == 0
    await portal.was_asked(9)
    assert await portal.asks(PERSON) == 60 and await portal.asks("192.0.2.8") == 0, "who has not asked gets in"
    await portal.was_asked(9)
    assert await portal.asks("192.0.2.9") == 60, "up to twice as many"
    assert await portal.asks(PERSON, known) == 0


async def test_two_who_ask_at_once_find_room_for_one(portal: Portal) -> None:
    assert [await portal.code("10.0.0.1"), await portal.code("10.0.0.1")] == [True, True]
    at_once = await asyncio.gather(*(portal.code("10.0.0.1") for _ in range(4)))
    assert sorted(at_once) == [False, False, False, True]


async def test_wrong_numbers_count_for_the_address_and_right_ones_do_not(portal: Portal) -> None:
    async with portal.door.begin(ME) as w:
        for _ in range(20):
            assert await portal.limits.guess(w, ANNA)
            await portal.limits.right(w, ANNA)
    assert [await portal.guess() for _ in range(6)] == [True] * 5 + [False]
    portal.hands.advance(GUESSES.each)
    assert await portal.guess() and not await portal.guess(), "one more after six days"


async def test_nothing_is_left_when_its_time_is_over(portal: Portal) -> None:
    await portal.asks(PERSON)
    for number in range(20):
        await portal.code(f"10.0.0.{number}")
    portal.hands.advance(2 * HOUR)
    async with portal.door.begin(ME) as w:
        await forget_counters(w)
    assert await portal.kernel.count("counters") == 0
