"""For systems that are not Kept's: publish your own CloudEvents, and be a holder, with nothing but Kafka and Vault.

This module is all that a foreign system imports of Kept (`__all__`).

    async with Foreign(settings, "billing.events") as bus:
        await bus.publish("com.example.billing.invoice.issued.v1", {...}, locator=loc)
        await bus.serve(MyHolder())

Your events go into Kept's log as they are, so put no personal value in them: say a locator (`bus.locators`) instead.
Commands are handled at least once and answered each time; dsar takes the first answer that is proven. Answers go to
`kept.dsar.answers.<name>`, which your system alone may write, each with a note signed by your key (`kept-<name>-notes` in
Vault): without it, or on another topic, it counts for nothing and raises an alarm. What you say you have located counts for
you alone.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.access.actor import Actor
from shared.bus import dlq
from shared.bus.broker import BrokerSettings
from shared.bus.envelope import Envelope, Record, parse, to_record
from shared.bus.event import Event
from shared.bus.inbox import until_done
from shared.bus.kafka import Consumer
from shared.bus.progress import COMMIT_SECONDS_MAX
from shared.bus.reading import End, assign
from shared.bus.sending import TOPIC_FAULTS
from shared.bus.watch import START_SECONDS_MAX, STILL_SECONDS_MAX, Watch
from shared.clock import Clock, SystemClock, rfc3339
from shared.errors import MalformedError, UnavailableError
from shared.holder.answers import collected, erased, located
from shared.holder.contract import (
    COMMANDS,
    Category,
    Collect,
    Erase,
    Forgotten,
    Found,
    Kept,
    Locate,
)
from shared.ids import new_event_id
from shared.keys.locators import Locators
from shared.keys.vault import Vault
from shared.loops.forever import forever, health
from shared.loops.items import by_itself
from shared.notes.note import VaultSigner
from shared.settings import ServiceSettings
from shared.telemetry import setup
from shared.timeouts import closed, within
from shared.values.identifiers import Kind, identifier

__all__ = [
    "Category", "Envelope", "Foreign", "ForeignHolder", "Forgotten", "Found", "Kept", "ServiceSettings", "by_itself", "forever",
    "setup",
]  # fmt: skip

PAUSE_SECONDS = 2.0  # before it reads anew
log = logging.getLogger("kept.foreign")
E = TypeVar("E", bound=Event)


class ForeignHolder(Protocol):
    """What another team implements. No database of ours, no transaction: answer from wherever your data is."""

    async def locate(self, locators: Sequence[str]) -> Sequence[Found]: ...

    async def collect(self, subject: str) -> list[Category]: ...

    async def erase(self, subject: str) -> Forgotten: ...


class Foreign:
    """One foreign system on the bus. `topic` is its own."""

    def __init__(self, settings: ServiceSettings, topic: str, clock: Clock | None = None) -> None:
        self.name = settings.service
        self._topic = topic
        self._settings = settings
        self._clock = clock or SystemClock()
        self._vault = Vault.of(settings)
        self._locators = Locators(self._vault)
        origin = settings.log_name.partition("/")[0]
        self._signer = VaultSigner(self._vault, f"kept-{self.name}-notes", f"{origin}/{self.name}")

    async def __aenter__(self) -> Self:
        password = await self._password()
        self._broker = BrokerSettings.of(self._settings, password)
        self._producer: AIOKafkaProducer = self._broker.producer()
        await self._producer.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        await self._producer.stop()

    async def _password(self) -> str:
        while True:
            try:
                return (await self._vault.kv(f"{self.name}/kafka"))["password"]
            except UnavailableError:
                await asyncio.sleep(1)

    # -- publishing ---------------------------------------------------------------------------------------------

    async def locators(self, identifiers: Sequence[tuple[Kind, str]]) -> list[str]:
        """Keyed hashes of identifiers that you know, however you write them, under the newest version of their key; the key
        stays in Vault. To say in an event, whom it is about.

        InvalidInputError for what is no e-mail address, or no phone number with country code."""
        return [newest for newest, *_ in await self.all_locators(identifiers)]

    async def all_locators(self, identifiers: Sequence[tuple[Kind, str]]) -> list[tuple[str, ...]]:
        """The same under every version that is live, the newest first: two while the key rotates. To find people by: keep all,
        and ask again now and then; an event that carries any of them is about whom you mean."""
        return await self._locators.of([identifier(kind, written) for kind, written in identifiers])

    async def publish(self, type_: str, data: Mapping[str, Any], *, locator: str = "", event_id: str = "") -> str:
        """One CloudEvent of your own on your topic, acknowledged by the broker. Returns its id."""
        ce_id = event_id or new_event_id()
        headers = {
            "ce_specversion": "1.0",
            "ce_id": ce_id,
            "ce_type": type_,
            "ce_source": f"/{self.name}",
            "ce_time": rfc3339(self._clock.now()),
            "ce_actor": f"service:{self.name}",
            "content-type": "application/json",
        }
        if locator:
            headers["ce_keptlocator"] = locator
        pairs = tuple((name, value.encode()) for name, value in headers.items())
        await self._send(Record(self._topic, (locator or ce_id).encode(), pairs, json.dumps(dict(data)).encode()))
        return ce_id

    async def _tell(self, event: Event) -> None:
        actor = Actor(id=f"service:{self.name}", kind="service")
        await self._send(to_record(event, actor, self._clock.now(), new_event_id()))

    async def _send(self, record: Record) -> None:
        """UnavailableError where the broker does not answer; KafkaError where it refuses this very record."""
        try:
            await self._producer.send_and_wait(record.topic, key=record.key, value=record.value, headers=list(record.headers))
        except TOPIC_FAULTS:
            raise
        except (KafkaError, OSError):
            raise UnavailableError("the broker does not answer") from None

    # -- reading ------------------------------------------------------------------------------------------------

    async def history(self, topic: str) -> AsyncIterator[Envelope]:
        """Every well-formed event that is in `topic` now, from its beginning; then it ends. UnavailableError where the broker
        says that there are more, and gives none."""
        async with self._reading() as consumer:
            async for envelope in _until_end(consumer, topic):
                yield envelope

    async def follow(self, topic: str) -> AsyncIterator[Envelope]:
        """Events of `topic` from its beginning, for ever. UnavailableError where it must begin anew."""
        async with self._reading(auto_offset_reset="earliest") as consumer:
            await assign(consumer, topic)
            async for record in Watch().records(consumer):
                if (envelope := _parsed(record)) is not None:
                    yield envelope

    @asynccontextmanager
    async def _reading(self, *topics: str, **options: Any) -> AsyncIterator[Consumer]:
        consumer = self._broker.consumer(*topics, **options)
        try:
            await within(START_SECONDS_MAX, consumer.start())
            yield consumer
        finally:
            await closed(consumer.stop())

    async def learn(self, topic: str, take: Callable[[Envelope], None]) -> None:
        """`take` each event of `topic`, from its beginning, for ever; after a break all of them again. One that it can't take
        is left out, and told."""
        loop = f"events of {topic}"

        async def taking() -> None:
            async for envelope in self.follow(topic):
                health(loop).well()
                with by_itself(loop, lambda: envelope.id):  # noqa: B023 - asked for within the block
                    take(envelope)

        await self._forever(loop, taking)

    # -- being a holder -----------------------------------------------------------------------------------------

    async def serve(self, holder: ForeignHolder) -> None:
        """Answer dsar's commands for ever. What can't be answered goes to `kept.<name>.dlq`, and the next is taken."""
        await self._forever("holder", lambda: self._answering(holder))

    async def _answering(self, holder: ForeignHolder) -> None:
        async with self._reading(COMMANDS, group_id=f"kept.{self.name}", auto_offset_reset="earliest") as consumer:
            health("holder").well()
            async for record in Watch().records(consumer):
                await self._handle(holder, record)
                done = {TopicPartition(record.topic, record.partition): record.offset + 1}
                await within(COMMIT_SECONDS_MAX, consumer.commit(done))

    async def _forever(self, loop: str, tick: Callable[[], Awaitable[object]]) -> None:
        await forever(loop, tick, every=PAUSE_SECONDS, expected=(KafkaError, OSError))

    async def _handle(self, holder: ForeignHolder, record: ConsumerRecord) -> None:
        what = f"{record.topic}/{record.partition}/{record.offset}"
        given = await until_done(lambda: self._answer(holder, parse(record)), what=what)
        if given is not None:
            letter = dlq.bury(self.name, record, given)
            # Losing is worse than waiting: the next command is taken when this letter is acknowledged.
            while await until_done(lambda: dlq.send(self._producer, letter), what=f"dead letter of {what}"):  # noqa: ASYNC110
                await asyncio.sleep(1)

    async def _answer(self, holder: ForeignHolder, envelope: Envelope) -> None:
        if envelope.type == Locate.type_:
            await self._locate(holder, _typed(Locate, envelope))
        elif envelope.type == Collect.type_:
            await self._collect(holder, _typed(Collect, envelope))
        elif envelope.type == Erase.type_:
            await self._erase(holder, _typed(Erase, envelope))

    async def _locate(self, holder: ForeignHolder, command: Locate) -> None:
        await self._tell(await located(self.name, command, await holder.locate(command.locators), self._signer))

    async def _collect(self, holder: ForeignHolder, command: Collect) -> None:
        if self.name in command.holders:
            categories = await holder.collect(command.subject or "")
            for answer in await collected(self.name, command, categories, self._signer):
                await self._tell(answer)

    async def _erase(self, holder: ForeignHolder, command: Erase) -> None:
        if self.name in command.holders:
            done = await holder.erase(command.subject or "")
            for event in await erased(self.name, command, done, at=self._clock.now(), signer=self._signer, topic=self._topic):
                await self._tell(event)


def _typed(event: type[E], envelope: Envelope) -> E:
    known = {name: value for name, value in envelope.data.items() if name in event.model_fields}
    try:
        return event.model_validate(known | {"subject": envelope.subject})
    except ValueError:
        raise MalformedError("the body is not what its type declares") from None


def _parsed(record: ConsumerRecord) -> Envelope | None:
    try:
        return parse(record)
    except MalformedError:
        return None  # not ours to judge: the audit log has it


async def _until_end(consumer: Consumer, topic: str) -> AsyncIterator[Envelope]:
    partitions = await assign(consumer, topic)
    end = await End.of(consumer, partitions)
    await consumer.seek_to_beginning(*partitions)
    taken = time.monotonic()
    while not await end.reached():
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                if (envelope := _parsed(record)) is not None:
                    yield envelope
            taken = time.monotonic()
        if consumer.broken or time.monotonic() - taken > STILL_SECONDS_MAX:
            raise UnavailableError("the broker gives nothing of what it has")
