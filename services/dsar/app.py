"""The composition root of dsar: every part and every arrow on one page. `python -m services.dsar.app` runs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args

from fastapi import FastAPI

from services.dsar import law
from services.dsar.base import TABLES
from services.dsar.desk import api as desk
from services.dsar.holder import DsarHolder
from services.dsar.law.jurisdiction import Jurisdiction
from services.dsar.law.model import Right
from services.dsar.portal import api as portal
from services.dsar.portal import jobs as portal_jobs
from services.dsar.portal.limits import Limits
from services.dsar.portal.post import Letters
from services.dsar.requests.renewal import renew
from services.dsar.requests.tables import DataRequest
from services.dsar.saga import handlers as saga
from services.dsar.saga import jobs, owners
from services.dsar.saga.actions import Course
from services.dsar.saga.keys import Keys
from services.dsar.settings import DsarSettings
from services.dsar.wiring import Tools
from shared.bus.relay import Relay
from shared.handlers import Handlers
from shared.holder import sdk
from shared.holder.contract import COMMANDS, answers_topic
from shared.http.app import create_app
from shared.http.pages import pages
from shared.keys.blind import BlindIndex
from shared.keys.locators import Locators, hashed
from shared.keys.public import PublicKeys
from shared.mail.queue import and_mails, mail_gauges
from shared.renewal import Renewal
from shared.rewrap import Rewrap
from shared.service import at_work, ground, run

SERVICE = "dsar"
ROOM = Path(__file__).parent


async def build(settings: DsarSettings) -> FastAPI:
    """Wire everything; nothing runs before the application's lifespan begins."""
    base = await ground(settings, TABLES)
    door, broker, signer = base.door, await base.broker(), base.signer()

    book = law.load()
    book.check(settings.laws, settings.place, get_args(Right), base.clock.now())
    jurisdiction = Jurisdiction(book, settings.laws, settings.sector_laws, settings.place)
    keys = Keys(PublicKeys(base.vault), settings.log_name)
    course = Course(settings.holders, settings.goes_on_after, signer, keys, book)
    answers = [answers_topic(holder) for holder in settings.holders]
    handlers = Handlers(SERVICE, door, broker, [COMMANDS, *answers, "kept.identity"], misplaced=saga.misplaced)
    saga.register(handlers, course)
    heard = Handlers(SERVICE, door, broker, owners.TOPICS, group=owners.GROUP)
    owners.register(heard)
    sdk.attach(handlers, DsarHolder(), signer)
    relay = Relay(base.engine, broker, base.door.wake)
    rewrap = Rewrap(base.door, base.vault, TABLES)
    mail = base.mail_room(Letters(settings))
    templates = pages(ROOM / "portal" / "templates", ROOM / "desk" / "templates")
    locators = Locators(base.vault)
    limits = Limits(BlindIndex(SERVICE, base.vault), settings)

    renewal = Renewal(door, DataRequest, lambda w, rows: renew(w, locators, rows), lambda: hashed(locators))
    tools = Tools(door, settings, locators, jurisdiction, course, templates)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bus = (base.ended_sessions.run(broker), relay.run(), rewrap.run(), handlers.run(), heard.run())
        works = (mail.run(), jobs.run(door, course, settings, locators), portal_jobs.run(door), renewal.run())
        async with at_work(base.door, *bus, *works):
            yield

    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=base.verifier,
        routers=[portal.router(tools, limits), desk.router(tools)],
        lifespan=lifespan,
        readiness=base.readiness(),
        later=base.later(relay, handlers),
        gauges=base.gauges(relay, handlers, rewrap.left, mail_gauges(SERVICE, base.engine), renewal.left),
        set_aside=and_mails(base.set_aside, base.engine),
    )


if __name__ == "__main__":
    run(DsarSettings, build)
