"""What the bus of a service measures of itself: what waits to be published, what is held, how far its handlers are behind."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.gauges import Gauge, Gauges

if TYPE_CHECKING:
    from shared.bus.relay import Relay

# The age tells more than the number: a thousand of a second ago are nothing, one of an hour ago is a fault.
_WAITING = text(
    "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::bigint FROM outbox WHERE published_at IS NULL"
)


def gauges(service: str, engine: AsyncEngine, relay: "Relay", behind: Callable[[], int]) -> Gauges:
    """For /metrics. `behind`: how many records the handlers have before them."""

    async def measured() -> list[Gauge]:
        async with engine.connect() as connection:
            waiting, age = (await connection.execute(_WAITING)).one()
        whose = {"service": service}
        return [
            Gauge("kept_outbox_waiting", whose, waiting),
            Gauge("kept_outbox_oldest_seconds", whose, age),
            *(Gauge("kept_topic_held", {**whose, "topic": topic}, 1) for topic in relay.held),
            Gauge("kept_handlers_behind", whose, behind()),
        ]

    return measured
