"""What the clock starts: records that wait for a user who is there. A file that was imported while identity's event came, and
what a process of the version before writes, is found here."""

from services.customers.records.forgotten import count_unmarked
from services.customers.records.ownership import assign, count_unowned
from shared.access.actor import Actor
from shared.gauges import Gauge, Gauges
from shared.loops.forever import forever
from shared.work import Door

TICK_SECONDS = 15.0
ME = Actor.system("customers")


async def tick(door: Door) -> bool:
    """One batch, in one transaction. Whether there may be more."""
    async with door.begin(ME) as w:
        return await assign(w)


async def run(door: Door) -> None:
    """Until cancelled."""
    await forever("unowned", lambda: tick(door), every=TICK_SECONDS)


def gauges(door: Door) -> Gauges:
    """For /metrics."""

    async def counted() -> list[Gauge]:
        async with door.begin(ME) as w:
            found, unmarked = await count_unowned(w), await count_unmarked(w)
        return [
            Gauge("kept_unowned_customers", {}, found.records),
            Gauge("kept_unowned_customers_without_number", {}, found.without_number),
            Gauge("kept_forgotten_unmarked", {}, unmarked),
        ]

    return counted
