"""Bus handlers: typed functions on FastStream, with the guarantees that it leaves to us.

    handlers = Handlers("dsar", door, broker, ["kept.identity", "kept.dsar.answers"])

    @handlers.on(ApprovalGranted)
    async def granted(w: Work, event: ApprovalGranted, envelope: Envelope) -> None: ...

One record at a time: parse, inbox and handler in one transaction; the offset follows within a second. A failure is
retried, then dead-lettered, and the partition moves on (shared/bus/inbox.py). FastStream's own parser and decoder
would raise on a malformed record outside any handler, and its acknowledgement policies lose or block; both are replaced here.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from shared import telemetry
from shared.access.actor import Actor
from shared.bus import dlq
from shared.bus.broker import BrokerSettings
from shared.bus.envelope import Envelope, parse
from shared.bus.event import Event
from shared.bus.inbox import until_done
from shared.bus.patience import asked_to_stop, ended, within
from shared.bus.trim import refuse_forgotten
from shared.errors import InvariantError, MalformedError
from shared.work import Door, Work

# A handler may wait long for Vault or the database; the group must not take that for death. The heartbeat still tells
# the broker within seconds when the process is gone.
POLL_MILLISECONDS_MAX = 24 * 3600 * 1000
START_PAUSE_SECONDS = 2.0
WATCH_SECONDS = 1.0
LOOK_SECONDS = 10.0  # between two questions how far behind this is
START_SECONDS_MAX = 60.0
ANSWER_SECONDS_MAX = 15.0  # a broker that does not answer for so long is asked through a fresh client
STILL_SECONDS_MAX = 60.0  # behind, and nothing taken: a rebalance takes a few seconds

E = TypeVar("E", bound=Event)
Handler = Callable[[Work, E, Envelope], Awaitable[None]]
Misplaced = Callable[[Work, Envelope, str], None]

log = logging.getLogger(__name__)
_theirs = logging.getLogger("faststream.kept")
_theirs.setLevel(logging.ERROR)  # what it warns of (no right to make topics) is how it is meant


@dataclass
class _Life:
    """One connection's state. A client that was left behind keeps its own: it can take no more records, and nothing that it
    finishes late is committed by the next one."""

    trouble: asyncio.Event = field(default_factory=asyncio.Event)
    done: dict[TopicPartition, int] = field(default_factory=dict)
    busy: bool = False
    beat: float = field(default_factory=time.monotonic)


class Handlers:
    """All handlers of one service. `run()` for ever as a task of the service."""

    def __init__(
        self,
        service: str,
        door: Door,
        broker: BrokerSettings,
        topics: Sequence[str],
        *,
        group: str | None = None,
        misplaced: Misplaced | None = None,
    ) -> None:
        """`misplaced` tells of a record that came by another topic than its type's own, before that goes to the dead
        letters."""
        self._misplaced = misplaced
        self.service = service
        self.group = group or f"kept.{service}"
        self.ready = False
        self._door = door
        self._settings = broker
        self._topics = [*dict.fromkeys([*topics, dlq.topic_of(service)])]
        self._routes: dict[str, tuple[type[Event], Handler[Any]]] = {}
        self.behind = 0  # records that the broker has and this service has not handled, when it last looked
        self._producer: AIOKafkaProducer | None = None

    def on(self, event: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """Handle events of this class. One handler per type."""

        def register(handler: Handler[E]) -> Handler[E]:
            if not event.type_ or event.type_ in self._routes:
                raise InvariantError(f"a second handler for {event.type_ or 'an untyped event'}")
            self._routes[event.type_] = (event, handler)
            return handler

        return register

    # -- running ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Consume until cancelled. Whatever breaks, a new consumer goes on from the last committed offset."""
        while True:
            life = _Life()
            broker, subscriber = self._connect(life)
            self._producer = self._settings.producer()
            try:
                await within(START_SECONDS_MAX, self._producer.start())
                await within(START_SECONDS_MAX, broker.start())
                self.ready = True
                log.info("handlers read %s", ", ".join(self._topics))
                await self._watch(subscriber, life)
                log.error("handlers stopped: starting them again")
            except asyncio.CancelledError:
                if asked_to_stop():
                    raise
                log.warning("handlers: a client gave up")
            except Exception as why:  # a task that ends here would end the service's handling silently
                log.warning("handlers wait: %s", type(why).__name__)
            finally:
                self.ready = False
                life.trouble.set()
                await ended(self._commit(subscriber, life))
                await ended(broker.stop())
                await ended(self._producer.stop())
            await asyncio.sleep(START_PAUSE_SECONDS)

    async def _watch(self, subscriber: Any, life: _Life) -> None:
        """Commit what is done, until something is wrong. FastStream restarts its consuming task, but not twice for the
        same exception; and a client whose broker died may stand still without a word."""
        looked = life.beat = time.monotonic()
        while not life.trouble.is_set() and any(not task.done() for task in subscriber.tasks):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(life.trouble.wait(), WATCH_SECONDS)
            answers = await self._commit(subscriber, life)
            if answers and time.monotonic() - looked > LOOK_SECONDS and subscriber.consumer is not None:
                looked = time.monotonic()
                answers = self.ready = await self._look(subscriber.consumer)
                if answers and not self.behind:
                    life.beat = time.monotonic()
                elif answers and not life.busy and time.monotonic() - life.beat > STILL_SECONDS_MAX:
                    log.error("handlers stand still, %d records behind", self.behind)
                    return
            if not answers:
                self.ready = False
                if not life.busy:  # else a record would be given up that waits, maybe, for this very broker
                    raise TimeoutError

    async def _look(self, consumer: AIOKafkaConsumer) -> bool:
        """How far behind this is; whether the broker answered."""
        try:
            self.behind = await within(ANSWER_SECONDS_MAX, _behind(consumer))
        except TimeoutError:
            return False
        return True

    def _connect(self, life: _Life) -> tuple[KafkaBroker, Any]:
        broker = KafkaBroker(
            self._settings.bootstrap,
            security=self._settings.faststream(),
            client_id=f"kept-{self.service}",
            # Topics are made by whoever deploys; a service has no right to.
            allow_auto_create_topics=False,
            apply_types=False,
            logger=_theirs,
            log_level=logging.DEBUG,
            graceful_timeout=1.0,
        )
        subscriber = broker.subscriber(
            *self._topics,
            group_id=self.group,
            auto_offset_reset="earliest",
            max_poll_interval_ms=POLL_MILLISECONDS_MAX,
            ack_policy=AckPolicy.MANUAL,
            parser=_untouched,
            decoder=_raw,
        )

        async def take(record: ConsumerRecord) -> None:
            if life.trouble.is_set():
                return  # an earlier record is not done: to commit behind it would lose it
            life.busy = True
            try:
                buried = await self.handle(record)
                life.done[TopicPartition(record.topic, record.partition)] = record.offset + 1
                if buried:
                    await self._commit(subscriber, life)  # now, so that a crash does not bury it twice
            except BaseException:
                life.trouble.set()  # FastStream would go on to the next record
                raise
            finally:
                life.busy, life.beat = False, time.monotonic()

        subscriber(take)
        return broker, subscriber

    async def _commit(self, subscriber: Any, life: _Life) -> bool:
        """Past what is done, and no further: a commit without offsets would cover whatever was fetched. False: the broker did
        not answer.

        Once in WATCH_SECONDS, not once a record: after a crash the last second comes again, and the inbox knows it."""
        consumer: AIOKafkaConsumer | None = subscriber.consumer
        done, life.done = life.done, {}
        if consumer is None:
            return True
        # A partition that went to another process is that process's to commit.
        offsets = {part: offset for part, offset in done.items() if part in consumer.assignment()}
        try:
            if offsets:
                await within(ANSWER_SECONDS_MAX, consumer.commit(offsets))
        except (KafkaError, OSError) as why:
            life.done = {**done, **life.done}
            log.warning("commit failed: %s", type(why).__name__)
            return not isinstance(why, TimeoutError)
        return True

    # -- one record ---------------------------------------------------------------------------------------------

    async def handle(self, record: ConsumerRecord) -> bool:
        """Handle one record for good: when this returns, its effects are committed, or (True) it lies with the dead."""
        if record.topic == dlq.topic_of(self.service) and not dlq.is_replay(self.service, record):
            return False
        what = f"{record.topic}/{record.partition}/{record.offset}"
        given = await until_done(lambda: self._once(record), what=what)
        if given is not None:
            log.error("%s goes to the dead letters: %s", what, given.reason)
            letter = dlq.bury(self.service, record, given)
            # Losing is worse than waiting: nothing goes on before the letter is acknowledged.
            bury = lambda: dlq.send(self._require_producer(), letter)  # noqa: E731
            while await until_done(bury, what=f"dead letter of {what}"):  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(START_PAUSE_SECONDS)
        return given is not None

    async def _once(self, record: ConsumerRecord) -> None:
        """1. Parse. 2. Evict a shredded subject. 3. Route; unknown types are others' business. 4. Act, once."""
        envelope = parse(record)
        if envelope.subject and envelope.type.endswith(".subject.shredded.v1"):
            self._door.keyring.evict(envelope.subject)
        route = self._routes.get(envelope.type)
        if route is None:
            return
        declared, handler = route
        if dlq.origin_topic(self.service, record) != declared.topic:
            # The broker's access rules say who may write to a topic; a type from elsewhere is a forgery.
            if self._misplaced is not None:
                async with self._door.begin(Actor.system(self.service)) as work:
                    self._misplaced(work, envelope, record.topic)
            raise MalformedError(f"{declared.type_} came by another topic than its own")
        event = _event(declared, envelope)
        about: dict[str, str | int] = {"messaging.system": "kafka", "messaging.message.id": envelope.id}
        with telemetry.span(f"{envelope.type} handle", kind=SpanKind.CONSUMER, parent=envelope.traceparent, attributes=about):
            async with self._door.inbox(Actor.system(self.service), envelope.id) as work:
                if work is not None:
                    if not dlq.is_replay(self.service, record):
                        await refuse_forgotten(work.session, envelope.time, work.now)
                    await handler(work, event, envelope)

    def _require_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise InvariantError("dead letters before run()")
        return self._producer


def _event(declared: type[E], envelope: Envelope) -> E:
    """The typed event. A reader's copy may declare fewer fields than the publisher sends: the rest is dropped."""
    known = {name: value for name, value in envelope.data.items() if name in declared.model_fields}
    try:
        return declared.model_validate({**known, "subject": envelope.subject})
    except ValidationError:
        raise MalformedError("the body is not what its type declares") from None  # its text would quote values


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


async def _behind(consumer: AIOKafkaConsumer) -> int:
    """How many records lie before this consumer."""
    parts = list(consumer.assignment())
    if not parts:
        return 0
    ends = await consumer.end_offsets(parts)
    return sum([max(0, ends[part] - await consumer.position(part)) for part in parts if part in consumer.assignment()])
