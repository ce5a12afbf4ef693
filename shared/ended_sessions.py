"""Sessions that ended before their tokens expired: kept in memory, from the bus, in every service.

A token is verified offline and can't be recalled, so each service follows identity's `session.ended` events and refuses the
tokens of those sessions; a second after a sign-out at the latest. Starting, it first reads back as far as the oldest token
that could still be valid, and verifies nothing before that. While the bus is away, what is known stays known, and a session
that ends meanwhile is good until its token expires (docs/decisions/0011).
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, UnsupportedVersionError

from shared.access.tokens import TOKEN_LIFE_MAX
from shared.bus.broker import BrokerSettings
from shared.bus.envelope import parse
from shared.bus.reading import End, assign
from shared.errors import MalformedError, UnauthenticatedError, UnavailableError
from shared.loops.forever import forever, health
from shared.loops.items import by_itself

TOPIC = "kept.identity"
ENDED = "kept.identity.session.ended.v1"
_SAYS_SO = ("ce_type", ENDED.encode())
SESSIONS_MAX = 100_000  # of one 12 hours, about 10 MB; beyond it the oldest are forgotten first
LOOP = "ended-sessions"
PAUSE_SECONDS = 2.0
POLL_MILLISECONDS = 500

log = logging.getLogger(__name__)


class EndedSessions:
    """`run()` for ever as a task of the service; `require_open` is asked of every token."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}  # session -> monotonic time until which it matters
        self._ready = False

    async def ready(self) -> bool:
        """Whether everything that ended before the start is known."""
        return self._ready

    def require_open(self, session: str) -> None:
        """UnauthenticatedError for a session that ended; UnavailableError before the start is over."""
        if not self._ready:
            raise UnavailableError("which sessions ended is not known yet", retry_after=1)
        if session in self._ended:
            raise UnauthenticatedError("signed out; sign in again")

    def end(self, session: str) -> None:
        """Remember it as long as its token could be valid."""
        now = time.monotonic()
        self._ended[session] = now + TOKEN_LIFE_MAX.total_seconds()
        while self._ended and (len(self._ended) > SESSIONS_MAX or next(iter(self._ended.values())) < now):
            del self._ended[next(iter(self._ended))]

    async def run(self, broker: BrokerSettings) -> None:
        """Follow until cancelled. Whatever breaks, a new consumer reads back again: what is known already does no harm."""
        await forever(
            LOOP, lambda: self._connected(broker), every=PAUSE_SECONDS, pause_max=PAUSE_SECONDS, expected=(KafkaError, OSError)
        )

    async def _connected(self, broker: BrokerSettings) -> None:
        consumer = broker.consumer()
        try:
            await consumer.start()
            await self._follow(consumer)
        finally:
            await _stop(consumer)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        partitions = await assign(consumer, TOPIC)
        end = await End.of(consumer, partitions)
        await _seek_back(consumer, end.offsets)
        health(LOOP).well()
        while True:
            batch: dict[Any, list[ConsumerRecord]] = await consumer.getmany(timeout_ms=POLL_MILLISECONDS)
            for records in batch.values():
                for record in records:
                    self._take(record)
            self._ready = self._ready or await end.reached()

    def _take(self, record: ConsumerRecord) -> None:
        if _SAYS_SO not in record.headers:  # most of the topic: all of it is read again at each start, by every service
            return
        with by_itself(LOOP, lambda: f"{record.topic}/{record.partition}/{record.offset}"):
            try:
                envelope = parse(record)
            except MalformedError:
                return  # not ours to judge: the audit log has it
            for session in envelope.data.get("sessions", []):
                self.end(str(session))


async def _seek_back(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> None:
    """To the oldest record that could concern a living token; where none is that young, to the end that was said before that:
    a record that came, or was shown, meanwhile is not passed over."""
    since = int((time.time() - TOKEN_LIFE_MAX.total_seconds()) * 1000)
    try:
        found = await consumer.offsets_for_times(dict.fromkeys(ends, since))
    except UnsupportedVersionError:  # a broker that does not know times: from the beginning, then
        await consumer.seek_to_beginning(*ends)
        return
    for one, end in ends.items():
        at = found.get(one)
        consumer.seek(one, end if at is None else at.offset)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(5):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError):
        log.warning("ended sessions: the consumer did not stop cleanly")
