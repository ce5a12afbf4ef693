"""A process of handlers that a test may kill: `python -m tests.support.handler_process SCHEMA GROUP`.

Each `tallied` event leaves one row in SCHEMA.effects, in the handler's own transaction.
"""

import asyncio
import sys

from sqlalchemy import text

from shared.bus.envelope import Envelope
from shared.bus.event import Event
from shared.handlers import Handlers
from shared.work import Work
from tests.support.kernel import TOPIC, kernel_on


class Tallied(Event, type="kept.customers.kernel.tallied.v1"):
    """An event for these tests alone."""

    n: int
    batch: str


async def main(schema: str, group: str) -> None:
    kernel = await kernel_on(schema)
    handlers = Handlers("customers", kernel.door, kernel.broker, [TOPIC], group=group)

    @handlers.on(Tallied)
    async def tallied(w: Work, event: Tallied, envelope: Envelope) -> None:
        if event.batch != schema:
            return
        row = {"subject": envelope.subject, "n": event.n}
        await w.session.execute(text("INSERT INTO effects (subject, n) VALUES (:subject, :n)"), row)
        await asyncio.sleep(0.005)  # a handler takes its time: so that it is killed inside its transaction too

    await handlers.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
