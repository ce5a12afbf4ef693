"""Whether a consumer still takes what there is. Its client may stand still without a word: a part of it ended
(shared/bus/kafka), its broker died in a way that it did not notice, the group never gave it its part. Who watches starts anew
with another client.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from aiokafka import ConsumerRecord

from shared.bus.kafka import Consumer
from shared.bus.reading import behind
from shared.errors import UnavailableError
from shared.timeouts import within

WATCH_SECONDS = 1.0
LOOK_SECONDS = 10.0  # between two questions how far behind this is
START_SECONDS_MAX = 60.0
ANSWER_SECONDS_MAX = 15.0  # a broker that does not answer for so long is asked through a fresh client
STILL_SECONDS_MAX = 60.0  # behind, and nothing taken: a rebalance takes a few seconds


class Watch:
    """Over one consumer."""

    def __init__(self) -> None:
        self.busy = False  # a record is being handled, however long that takes
        self.behind = 0  # records that the broker has and this consumer has not taken, when it last looked
        self.looked = self._beat = time.monotonic()

    def taken(self) -> None:
        """A record was taken."""
        self.busy, self._beat = False, time.monotonic()

    async def fault(self, consumer: Consumer) -> str:
        """Why another client must take its place; empty while all is well. TimeoutError where the broker does not answer."""
        if consumer.broken:
            return f"the consumer's {consumer.broken} ended"
        if time.monotonic() - self.looked < LOOK_SECONDS:
            return ""
        self.looked = time.monotonic()
        self.behind = await within(ANSWER_SECONDS_MAX, behind(consumer))
        if not self.behind:
            self._beat = time.monotonic()
        if not self.behind or self.busy or time.monotonic() - self._beat < STILL_SECONDS_MAX:
            return ""
        doing = "waits for its part of the group" if consumer.joining else "fetches"
        return f"the consumer stands still, {self.behind} records behind, and {doing}"

    async def records(self, consumer: Consumer) -> AsyncIterator[ConsumerRecord]:
        """Each record that comes, for ever. UnavailableError where the consumer takes none though there are some."""
        while True:
            coming = asyncio.ensure_future(consumer.getone())
            try:
                while not (await asyncio.wait({coming}, timeout=WATCH_SECONDS))[0]:
                    if why := await self.fault(consumer):
                        raise UnavailableError(why)
            finally:
                coming.cancel()  # unless it is done
            yield coming.result()
            self.taken()
