"""Bus handlers: typed functions on FastStream, with the guarantees that it leaves to us.

    handlers = Handlers("dsar", door, broker, ["kept.identity", "kept.dsar.answers"])

    @handlers.on(ApprovalGranted)
    async def granted(w: Work, event: ApprovalGranted, envelope: Envelope) -> None: ...

One record at a time: parse, inbox and handler in one transaction; its dead letter and its offset follow within a second,
together with others' (shared/bus/progress.py). A failure is retried, then dead-lettered, and the partition moves on
(shared/bus/inbox.py). What is malformed on another team's topic and claims no type that is handled here is nobody's dead
letter: the log has it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from shared import telemetry
from shared.access.actor import Actor
from shared.bus import dlq
from shared.bus.broker import BrokerSettings
from shared.bus.envelope import Envelope, Record, parse
from shared.bus.event import Event
from shared.bus.inbox import until_done
from shared.bus.progress import Progress
from shared.bus.subscription import Subscription
from shared.bus.trim import refuse_forgotten
from shared.bus.watch import START_SECONDS_MAX, WATCH_SECONDS, Watch
from shared.errors import InvariantError, MalformedError
from shared.keys.ciphertext import RECEIVED
from shared.loops.forever import forever, health
from shared.timeouts import closed, within
from shared.work import Door, Work

START_PAUSE_SECONDS = 2.0
OUR_TOPICS = "kept."  # how the topics begin on which everything is one of our events, or somebody's mistake

E = TypeVar("E", bound=Event)
Handler = Callable[[Work, E, Envelope], Awaitable[None]]
Misplaced = Callable[[Work, Envelope, str], None]

log = logging.getLogger(__name__)


@dataclass
class _Life:
    """One connection's state. A client that was left behind keeps its own: it can take no more records, and nothing that it
    finishes late is committed by the next one."""

    producer: AIOKafkaProducer
    client: Subscription | None = None
    progress: Progress = field(default_factory=Progress)
    trouble: asyncio.Event = field(default_factory=asyncio.Event)
    watch: Watch = field(default_factory=Watch)

    async def settle(self) -> bool:
        """Send the letters that wait and commit; whether the broker answered."""
        return await self.progress.settle(self.producer, self.client.consumer if self.client else None)


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
        self._loop = f"handlers of {self.group}"
        self.ready = False
        self._door = door
        self._settings = broker
        self._topics = [*dict.fromkeys([*topics, dlq.topic_of(service)])]
        self._routes: dict[str, tuple[type[Event], Handler[Any]]] = {}
        self.behind = 0  # records that the broker has and this service has not handled, when it last looked

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
        pause = START_PAUSE_SECONDS
        await forever(self._loop, self._connected, every=pause, pause_max=pause, expected=(KafkaError, OSError))

    async def _connected(self) -> None:
        life = _Life(self._settings.producer())
        take, passes_over = partial(self._take, life), partial(self._passes_over, life)
        client = life.client = Subscription(self.service, self._settings, self._topics, self.group, take, passes_over)
        try:
            await within(START_SECONDS_MAX, life.producer.start())
            await within(START_SECONDS_MAX, client.start())
            self.ready = True
            health(self._loop).well()
            log.info("handlers read %s", ", ".join(self._topics))
            await self._watch(client, life)
            log.error("handlers stopped: starting them again")
        finally:
            self.ready = False
            life.trouble.set()
            await closed(life.settle())
            await closed(client.stop())
            await closed(life.producer.stop())

    async def _take(self, life: _Life, record: ConsumerRecord) -> None:
        if life.trouble.is_set():
            return  # an earlier record is not done: to commit behind it would lose it
        life.watch.busy = True
        try:
            life.progress.note(record, await self.handle(record))
            life.watch.busy = False  # it is done: a client that hangs is replaced, and it comes again
            # Losing is worse than waiting: nothing is taken before these letters are acknowledged.
            while life.progress.full and not life.trouble.is_set():
                await life.settle()
                if life.progress.full:  # refused, or no answer: what waits in memory has a bound
                    await asyncio.sleep(START_PAUSE_SECONDS)
        except BaseException:
            life.trouble.set()  # FastStream would go on to the next record
            raise
        finally:
            life.watch.taken()

    def _passes_over(self, life: _Life, record: ConsumerRecord) -> bool:
        """Whether the record is others' business: well formed, and of no type that is handled here. Then it is done."""
        if life.trouble.is_set() or record.topic == dlq.topic_of(self.service) or self._claimed(record):
            return False
        try:
            parse(record)
        except MalformedError:
            return False
        life.progress.note(record, None)
        life.watch.taken()
        return True

    async def _watch(self, client: Subscription, life: _Life) -> None:
        """Commit what is done, once in WATCH_SECONDS, until something is wrong: a client whose broker died may stand still
        without a word. After a crash the last second comes again, and the inbox knows it."""
        while not life.trouble.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(life.trouble.wait(), WATCH_SECONDS)
            if client.broken:
                return log.error("handlers take no more: %s ended", client.broken)
            looked, answers = life.watch.looked, await life.settle()
            if answers and client.consumer is not None:
                try:
                    if fault := await life.watch.fault(client.consumer):
                        return log.error("handlers: %s", fault)
                except TimeoutError:
                    answers = False
            self.behind = life.watch.behind
            if not answers or life.watch.looked > looked:  # it takes an answer to be ready again
                self.ready = answers and not life.progress.refused
            if not answers and not life.watch.busy:  # else a record would be given up that waits, maybe, for this very broker
                raise TimeoutError

    # -- one record ---------------------------------------------------------------------------------------------

    async def handle(self, record: ConsumerRecord) -> Record | None:
        """Handle one record for good: when this returns, its effects are committed, or it is to be buried as this letter."""
        if record.topic == dlq.topic_of(self.service) and not dlq.is_replay(self.service, record):
            return None
        given = await until_done(lambda: self._once(record), what=f"{record.topic}/{record.partition}/{record.offset}")
        return None if given is None else dlq.bury(self.service, record, given)

    async def _once(self, record: ConsumerRecord) -> None:
        """1. Parse. 2. Route; unknown types are others' business. 3. Act, once."""
        try:
            envelope = parse(record)
        except MalformedError:
            if self._claims_nothing(record):
                return
            raise
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

    def _claims_nothing(self, record: ConsumerRecord) -> bool:
        """Whether a malformed record is another team's business: on their own topic, and of no type that is handled here."""
        return not dlq.origin_topic(self.service, record).startswith(OUR_TOPICS) and not self._claimed(record)

    def _claimed(self, record: ConsumerRecord) -> bool:
        """Whether a record says that it is of a type that is handled here."""
        claimed = {raw.decode(errors="replace") for name, raw in record.headers if name == "ce_type" and raw is not None}
        return not claimed.isdisjoint(self._routes)


def _event(declared: type[E], envelope: Envelope) -> E:
    """The typed event. A reader's copy may declare fewer fields than the publisher sends: the rest is dropped."""
    known = {name: value for name, value in envelope.data.items() if name in declared.model_fields}
    try:
        return declared.model_validate({**known, "subject": envelope.subject}, context=RECEIVED)
    except ValidationError:
        raise MalformedError("the body is not what its type declares") from None  # its text would quote values
