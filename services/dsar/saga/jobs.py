"""What the clock starts: ask silent holders again, go on without them where the law's answer may, ask who decides once more,
close what is over. Each of these is a loop of its own, and each request an item."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, select

from services.dsar.requests import actions as requests
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga import actions, approval
from services.dsar.saga.actions import Course
from services.dsar.settings import DsarSettings
from shared.access.actor import Actor
from shared.keys.locators import Locators
from shared.loops.forever import forever
from shared.loops.items import Items
from shared.work import Door, Work

TICK_SECONDS = 5
SYSTEM = Actor.system("dsar")
RUNNING = (State.VERIFIED, State.APPROVED, State.DISPATCHED)
OVER = (State.ANSWERED, State.DELIVERED, State.REFUSED)
Act = Callable[[Work, str], Awaitable[None]]


async def run(door: Door, course: Course, settings: DsarSettings, locators: Locators) -> None:
    """Until cancelled."""
    jobs = Jobs(door, course, settings, locators)
    await asyncio.gather(
        forever("saga", jobs.advance, every=TICK_SECONDS),
        forever("undecided", jobs.ask_again, every=TICK_SECONDS),
        forever("closing", jobs.close, every=TICK_SECONDS),
    )


class Jobs:
    """One round of each loop. Each request has its own transaction."""

    def __init__(self, door: Door, course: Course, settings: DsarSettings, locators: Locators) -> None:
        self._door, self._course, self._settings, self._locators = door, course, settings, locators
        self._running, self._undecided, self._closing = (Items(loop, door) for loop in ("saga", "undecided", "closing"))

    async def advance(self) -> None:
        """What is under way takes the steps that it can take now."""
        oldest = await self._locators.oldest()

        async def act(w: Work, request_id: str) -> None:
            request = await requests.load(w, request_id)
            await actions.locate_anew(w, request, oldest)
            await actions.ask_again(w, request)
            await actions.advance(w, request, self._course)

        ids = await self._ids(lambda _: select(DataRequest.id).where(DataRequest.state.in_(RUNNING)))
        await self._each(self._running, ids, act)

    async def ask_again(self) -> None:
        """Who decides is reminded, and others are asked beside them."""

        async def act(w: Work, request_id: str) -> None:
            await approval.ask_again(w, await requests.load(w, request_id), self._course.book)

        ids = await self._ids(lambda _: select(DataRequest.id).where(DataRequest.state == State.ASSESSED))
        await self._each(self._undecided, ids, act)

    async def close(self) -> None:
        """Never verified; never said whose they are; or answered long ago."""
        hours, days = timedelta(hours=self._settings.unverified_hours), timedelta(days=self._settings.keep_answer_days)
        row, of = DataRequest, select(DataRequest.id)
        unproven = await self._ids(lambda w: of.where(row.state == State.RECEIVED, row.received_at < w.now - hours))
        asking = await self._ids(lambda w: of.where(row.state == State.VERIFIED, row.verified_at < w.now - days))
        old = await self._ids(lambda w: of.where(row.state.in_(OVER), row.answered_at < w.now - days))

        async def act(w: Work, request_id: str) -> None:
            request = await requests.load(w, request_id)  # one that went on since it was listed is not closed
            if request_id in unproven and request.state == State.RECEIVED:
                await requests.close(w, request_id, "unverified", tell=False)
            elif request_id in asking and request.unclear:
                await requests.close(w, request_id, "unverified")
            elif request_id in old and request.state in OVER:
                await requests.close(w, request_id, "expired")

        await self._each(self._closing, [*unproven, *asking, *old], act)

    async def _ids(self, query: Callable[[Work], Select[Any]]) -> Sequence[str]:
        async with self._door.begin(SYSTEM) as w:
            return (await w.session.scalars(query(w))).all()

    async def _each(self, items: Items, ids: Sequence[str], act: Act) -> None:
        async def one(request_id: str) -> None:
            async with self._door.begin(SYSTEM) as w:
                await act(w, request_id)

        await items.each(ids, one)
