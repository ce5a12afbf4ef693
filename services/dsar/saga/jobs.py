"""What the clock starts: ask silent holders again, go on without them where the law's answer may, forget what is
over."""

import asyncio
import logging
from datetime import timedelta

from sqlalchemy import select

from services.dsar.requests import actions as requests
from services.dsar.requests.capabilities import forget_expired
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga import actions, approval
from services.dsar.saga.actions import Course
from services.dsar.settings import DsarSettings
from shared.access.actor import Actor
from shared.errors import KeptError
from shared.work import Door

TICK_SECONDS = 5
RUNNING = (State.VERIFIED, State.APPROVED, State.DISPATCHED)
log = logging.getLogger("kept.dsar.saga")


async def tick(door: Door, course: Course, settings: DsarSettings) -> None:
    """One round; each request in its own transaction, so that one that fails holds up no other."""
    async with door.begin(Actor.system("dsar")) as w:
        running = (await w.session.scalars(select(DataRequest.id).where(DataRequest.state.in_(RUNNING)))).all()
        undecided = (await w.session.scalars(select(DataRequest.id).where(DataRequest.state == State.ASSESSED))).all()
        unproven = select(DataRequest.id).where(
            DataRequest.state == State.RECEIVED,
            DataRequest.received_at < w.now - timedelta(hours=settings.unverified_hours),
        )
        old = select(DataRequest.id).where(
            DataRequest.state.in_((State.ANSWERED, State.DELIVERED, State.REFUSED)),
            DataRequest.answered_at < w.now - timedelta(days=settings.keep_answer_days),
        )
        closing = [(one, "unverified", False) for one in (await w.session.scalars(unproven)).all()]
        asking = select(DataRequest).where(
            DataRequest.state == State.VERIFIED, DataRequest.verified_at < w.now - timedelta(days=settings.keep_answer_days)
        )
        closing += [(one.id, "unverified", True) for one in await w.session.scalars(asking) if one.unclear]
        closing += [(one, "expired", True) for one in (await w.session.scalars(old)).all()]
        await forget_expired(w)
    for request_id in running:
        async with door.begin(Actor.system("dsar")) as w:
            request = await requests.load(w, request_id)
            await actions.ask_again(w, request)
            await actions.advance(w, request, course)
    for request_id in undecided:
        async with door.begin(Actor.system("dsar")) as w:
            approval.ask_again(w, await requests.load(w, request_id), course.book)
    for request_id, reason, tell in closing:
        async with door.begin(Actor.system("dsar")) as w:
            await requests.close(w, request_id, reason, tell=tell)


async def run(door: Door, course: Course, settings: DsarSettings) -> None:
    """Until cancelled. A part that is away is met by the next round."""
    while True:
        try:
            await tick(door, course, settings)
        except KeptError as error:
            log.warning("saga round put off: %s", error.code)
        await asyncio.sleep(TICK_SECONDS)
