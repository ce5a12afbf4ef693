"""What the clock starts: an address of whose change the one before was told, and did not object, proves who somebody is."""

from datetime import timedelta

from sqlalchemy import select

from services.customers.addresses import actions
from services.customers.addresses.model import State
from services.customers.addresses.tables import AddressChange
from services.customers.wiring import Tools
from shared.access.actor import Actor
from shared.loops.forever import forever
from shared.loops.items import Items
from shared.work import Door

LOOP = "addresses"
TICK_SECONDS = 60.0


async def tick(door: Door, tools: Tools, wait: timedelta, items: Items) -> None:
    """Each change in a transaction of its own."""
    me = Actor.system("customers")
    async with door.begin(me) as w:
        over = AddressChange.told_at <= w.now - wait
        due = (await w.session.scalars(select(AddressChange.id).where(AddressChange.state == State.WAITING, over))).all()

    async def settle(change_id: str) -> None:
        async with door.begin(me) as w:
            await actions.overdue(w, tools, change_id, wait)

    await items.each(due, settle)


async def run(door: Door, tools: Tools, wait: timedelta) -> None:
    """Until cancelled."""
    items = Items(LOOP, door)
    await forever(LOOP, lambda: tick(door, tools, wait, items), every=TICK_SECONDS)
