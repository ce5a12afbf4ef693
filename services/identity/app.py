"""The composition root of identity: every part and every arrow, read from top to bottom."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.identity.access import api as access_api
from services.identity.access.signer import TokenSigner
from services.identity.accounts import gauges as accounts_gauges
from services.identity.accounts import pages as accounts_pages
from services.identity.accounts.passwords import Passwords
from services.identity.accounts.renewal import UNMADE, renew
from services.identity.accounts.tables import User, UserLocator
from services.identity.approvals import api as approvals_api
from services.identity.approvals import handlers as approvals_handlers
from services.identity.approvals import jobs
from services.identity.approvals import pages as approvals_pages
from services.identity.base import TABLES
from services.identity.holder import IdentityHolder
from services.identity.pages.show import Show
from services.identity.sessions import api as sessions_api
from services.identity.sessions import pages as sessions_pages
from services.identity.settings import IdentitySettings
from services.identity.wiring import Tools
from shared.bus.relay import Relay
from shared.handlers import Handlers
from shared.holder import sdk
from shared.holder.contract import COMMANDS
from shared.http.app import create_app
from shared.keys.blind import BlindIndex
from shared.keys.locators import Locators, hashed
from shared.renewal import Renewal
from shared.rewrap import Rewrap
from shared.service import at_work, ground, run
from shared.sweep import Sweep
from shared.work import Work

SERVICE = "identity"


async def build(settings: IdentitySettings) -> FastAPI:
    """The whole service."""
    base = await ground(settings, TABLES)
    door, vault, broker = base.door, base.vault, await base.broker()
    signer = TokenSigner(vault)
    blind, locators = BlindIndex(SERVICE, vault), Locators(vault)
    tools = Tools(Passwords(), blind, signer, settings.session)

    async def renewed(w: Work, rows: Sequence[User]) -> None:
        await renew(w, blind, locators, rows)

    renewal = Renewal(door, User, renewed, lambda: hashed(locators, blind), UNMADE)
    sweep = Sweep(door, locators, UserLocator.locator)
    relay = Relay(base.engine, broker, base.door.wake)
    rewrap = Rewrap(base.door, base.vault, TABLES)
    handlers = Handlers(SERVICE, door, broker, ["kept.dsar", COMMANDS])
    approvals_handlers.register(handlers, settings.approval)
    sdk.attach(handlers, IdentityHolder(), base.signer())
    show = Show()
    secure = settings.public_origin.startswith("https:")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bus = (base.ended_sessions.run(broker), relay.run(), rewrap.run(), handlers.run())
        async with at_work(base.door, *bus, jobs.run(door, settings.reminder), jobs.forget(door), renewal.run(), sweep.run()):
            yield

    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=base.verifier,
        routers=[
            access_api.router(signer),
            sessions_api.router(door, tools),
            sessions_pages.router(door, tools, show, secure=secure),
            accounts_pages.router(door, show),
            approvals_api.router(door, signer, lifetime=settings.approval, usable=settings.grant),
            approvals_pages.router(door, show),
        ],
        lifespan=lifespan,
        readiness=base.readiness(),
        later=base.later(relay, handlers),
        gauges=base.gauges(relay, handlers, rewrap.left, renewal.left, accounts_gauges.gauges(door)),
        set_aside=base.set_aside,
    )


if __name__ == "__main__":
    run(IdentitySettings, build)
