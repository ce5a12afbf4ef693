"""The composition root of customers: every part and every arrow, read from top to bottom."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.customers.addresses import handlers as addresses_handlers
from services.customers.addresses import jobs as addresses_jobs
from services.customers.addresses import pages as addresses_pages
from services.customers.addresses.letters import Letters
from services.customers.base import TABLES
from services.customers.holder import CustomersHolder
from services.customers.pages.show import Show
from services.customers.policy.load import load
from services.customers.records import api as records_api
from services.customers.records import handlers as records_handlers
from services.customers.records import jobs as records_jobs
from services.customers.records import pages as records_pages
from services.customers.records.forgotten import KEY, PREFIX
from services.customers.records.renewal import UNMADE, renew
from services.customers.settings import CustomersSettings
from services.customers.tables import Customer, CustomerLocator, ForgottenLocator, StaffLocator
from services.customers.transfer import api as transfer_api
from services.customers.wiring import Tools
from shared.access.grants import GrantVerifier
from shared.bus.relay import Relay
from shared.handlers import Handlers
from shared.holder import sdk
from shared.holder.contract import COMMANDS
from shared.http.app import create_app
from shared.keys.blind import BlindIndex
from shared.keys.locators import Locators
from shared.keys.marks import Marks
from shared.mail.queue import and_mails, mail_gauges
from shared.renewal import Renewal
from shared.rewrap import Rewrap
from shared.service import at_work, ground, run
from shared.sheets import FILE_BYTES_MAX
from shared.sweep import Sweep

SERVICE = "customers"
SWITCH_SECONDS = 0.0005  # who reads a file in a thread gives way soon: the interpreter's own 5 ms add up, many times an answer


async def build(settings: CustomersSettings) -> FastAPI:
    """The whole service."""
    sys.setswitchinterval(SWITCH_SECONDS)
    base = await ground(settings, TABLES)
    door, vault, broker = base.door, base.vault, await base.broker()
    tools = Tools(load(), BlindIndex(SERVICE, vault), Locators(vault), Marks(vault, KEY, PREFIX))

    renewal = Renewal(door, Customer, lambda w, rows: renew(w, tools, rows), tools.hashed, UNMADE)
    sweep = Sweep(door, tools.locators, CustomerLocator.locator, StaffLocator.locator, ForgottenLocator.locator)
    relay = Relay(base.engine, broker, base.door.wake)
    rewrap = Rewrap(base.door, base.vault, TABLES)
    handlers = Handlers(SERVICE, door, broker, ["kept.identity", COMMANDS])
    records_handlers.register(handlers)
    addresses_handlers.register(handlers, tools)
    sdk.attach(handlers, CustomersHolder(tools.policy, tools.marks), base.signer())
    mail = base.mail_room(Letters(settings))
    changes = addresses_jobs.run(door, tools, settings.address_wait)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bus = (base.ended_sessions.run(broker), relay.run(), rewrap.run(), handlers.run())
        works = (*bus, mail.run(), changes, renewal.run(), sweep.run(), records_jobs.run(door))
        async with at_work(base.door, *works):
            yield

    return create_app(
        service=SERVICE,
        settings=settings,
        verifier=base.verifier,
        routers=[
            transfer_api.router(door, tools, GrantVerifier(base.verifier.claims, door)),  # before /{customer_id}
            records_api.router(door, tools, settings.page_rows),
            records_pages.router(door, tools, Show(), settings.page_rows),
            addresses_pages.router(door, tools, Show(), settings),
        ],
        lifespan=lifespan,
        readiness=base.readiness(),
        later=base.later(relay, handlers),
        gauges=base.gauges(
            relay, handlers, rewrap.left, mail_gauges(SERVICE, base.engine), renewal.left, records_jobs.gauges(door)
        ),
        set_aside=and_mails(base.set_aside, base.engine),
        body_limits={transfer_api.IMPORTS: FILE_BYTES_MAX, transfer_api.CHECKS: FILE_BYTES_MAX},
    )


if __name__ == "__main__":
    run(CustomersSettings, build)
