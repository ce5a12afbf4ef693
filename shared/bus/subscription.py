"""FastStream's consumer, as our handlers use it: each record as it came, taken by one function, committed by nobody but us.

FastStream's own parser and decoder would raise on a malformed record outside any handler, and its acknowledgement policies
lose or block; both are replaced here. What nobody here waits for is passed over before FastStream sees it: most of what other
services' topics hold, and FastStream takes longer for a record than it takes to know that.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage

from shared.bus.broker import BrokerSettings
from shared.bus.kafka import Consumer

# A handler may wait long for Vault or the database; the group must not take that for death. The heartbeat still tells
# the broker within seconds when the process is gone.
POLL_MILLISECONDS_MAX = 24 * 3600 * 1000

PASSED_MAX = 100  # in a row, before others have their turn

_theirs = logging.getLogger("faststream.kept")
_theirs.setLevel(logging.ERROR)  # what it warns of (no right to make topics) is how it is meant


class Passing(Consumer):
    """Gives the records that `passes_over` does not take for done."""

    def __init__(self, *topics: str, passes_over: Callable[[ConsumerRecord], bool], **options: Any) -> None:
        super().__init__(*topics, **options)
        self._passes_over = passes_over

    async def getone(self, *partitions: TopicPartition) -> ConsumerRecord:
        """The next of them, as aiokafka's."""
        while True:
            for _ in range(PASSED_MAX):
                record = await super().getone(*partitions)
                if not self._passes_over(record):
                    return record
            await asyncio.sleep(0)


class Subscription:
    """A member of `group` that hands each record of `topics` to `take`, of each partition in order, but those that
    `passes_over` says are done by being seen."""

    def __init__(
        self,
        service: str,
        settings: BrokerSettings,
        topics: Sequence[str],
        group: str,
        take: Callable[[ConsumerRecord], Awaitable[None]],
        passes_over: Callable[[ConsumerRecord], bool],
    ) -> None:
        self._passes_over = passes_over
        self._broker = KafkaBroker(
            settings.bootstrap,
            security=settings.faststream(),
            client_id=f"kept-{service}",
            # Topics are made by whoever deploys; a service has no right to.
            allow_auto_create_topics=False,
            consumer_only=True,  # what we send goes through the outbox
            apply_types=False,
            logger=_theirs,
            log_level=logging.DEBUG,
            graceful_timeout=1.0,
        )
        self._subscriber: Any = self._broker.subscriber(
            *topics,
            group_id=group,
            auto_offset_reset="earliest",
            max_poll_interval_ms=POLL_MILLISECONDS_MAX,
            ack_policy=AckPolicy.MANUAL,
            parser=_untouched,
            decoder=_raw,
        )
        self._subscriber(take)

    @property
    def consumer(self) -> Consumer | None:
        """The consumer, once it is started."""
        found: Consumer | None = self._subscriber.consumer
        return found

    @property
    def broken(self) -> str:
        """What of it has ended, so that it takes no record any more; empty where all is well. FastStream restarts its consuming
        task, but not twice for the same exception, and hears nothing of the client's own tasks."""
        if all(task.done() for task in self._subscriber.tasks):
            return "taking"
        return "" if self.consumer is None else self.consumer.broken

    async def start(self) -> None:
        """Connect and begin to take, through a consumer of ours: FastStream makes aiokafka's own."""
        build: Any = await self._broker.connect()
        self._broker.config.broker_config.builder = partial(Passing, passes_over=self._passes_over, **build.keywords)
        await self._broker.start()

    async def stop(self) -> None:
        """Leave the group."""
        await self._broker.stop()


async def _untouched(record: ConsumerRecord) -> KafkaMessage:
    """FastStream's message around the record, without looking into it: nothing to fail on."""
    return KafkaMessage(
        body=record.value or b"",
        headers={},
        raw_message=record,
        message_id=f"{record.offset}",
        consumer=FAKE_CONSUMER,  # we commit ourselves
    )


async def _raw(message: KafkaMessage) -> Any:
    """The handler gets the record itself."""
    return message.raw_message
