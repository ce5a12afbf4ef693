"""The relay: sends the outbox to Kafka, in order, and marks what the broker acknowledged.

1. One relay per database: a PostgreSQL advisory lock on the relay's own connection; a second process stands by.
2. It wakes by NOTIFY and looks every POLL_SECONDS anyway, so a lost notification costs a second, not an event.
3. It reconciles (shared/bus/reconcile.py): what the broker has already is marked, not sent twice.
4. Unmarked rows, in id order, a batch at a time; no cursor, so a late commit is never missed.
5. Sent with acks=all by an idempotent producer.
6. Marked after the acknowledgement, with partition and offset. A crash between 5 and 6: step 3 of the next start.
Whatever fails goes back to 1 with a fresh connection and a fresh producer.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from opentelemetry.trace import SpanKind
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import telemetry
from shared.bus.broker import BrokerSettings
from shared.bus.outbox import CHANNEL
from shared.bus.reconcile import Placed, mark, reconcile

BATCH_ROWS = 500  # with events of a few kB: about a megabyte in memory
BATCH_BYTES_MAX = 8 * 1024 * 1024  # a batch of large events stops here
POLL_SECONDS = 1.0
STANDBY_SECONDS = 1.0  # how often a second process asks for the lock
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
KEEP_DAYS = 30  # published rows stay this long, for a broker that lost what it had
LOCK = 4_718  # first half of the advisory lock; the second is the outbox table itself

log = logging.getLogger(__name__)

_PENDING = """
SELECT ce_id, topic, key, headers, value FROM (
  SELECT id, ce_id, topic, key, headers, value, sum(length(value)) OVER (ORDER BY id) AS total FROM (
    SELECT * FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT %s) AS waiting
) AS batch WHERE total - length(value) < %s ORDER BY id
"""


class Pending(NamedTuple):
    """One row to send."""

    ce_id: str
    topic: str
    key: str
    headers: list[list[str]]
    value: bytes


class Relay:
    """`run()` until cancelled; trouble with the database or the broker only makes it wait."""

    def __init__(self, engine: AsyncEngine, broker: BrokerSettings) -> None:
        self._engine = engine
        self._broker = broker
        self.active = False  # holds the lock and has a producer: shown by /readyz

    async def run(self) -> None:
        """Relay for ever."""
        failures = 0
        while True:
            try:
                await self._session()
            except Exception as why:  # a relay that ended here would leave events unpublished silently
                delay = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures = 0 if self.active else failures + 1
                log.warning("relay waits %.1f s: %s", delay, type(why).__name__)
                await asyncio.sleep(delay)
            finally:
                self.active = False

    async def _session(self) -> None:
        """One connection, one lock, one producer, until something breaks."""
        async with self._engine.connect() as connection:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            raw: Any = (await connection.get_raw_connection()).driver_connection
            producer: AIOKafkaProducer | None = None
            try:
                while not await self._locked(raw):  # noqa: ASYNC110 - another process holds it; there is no event
                    await asyncio.sleep(STANDBY_SECONDS)
                await raw.execute(f"LISTEN {CHANNEL}")
                found = await reconcile(raw, self._broker.consumer)
                if found:
                    log.info("the broker had %d events that the outbox did not know of", found)
                producer = self._broker.producer()
                await producer.start()
                self.active = True
                await self._prune(raw)
                while True:
                    while await self._send_batch(raw, producer):
                        pass
                    await _wait(raw)
            finally:
                if producer is not None:
                    await _stop(producer)
                # Closed, not returned to the pool: the lock and LISTEN go with it.
                await connection.invalidate()

    async def _locked(self, raw: "psycopg.AsyncConnection[Any]") -> bool:
        row = await (await raw.execute("SELECT pg_try_advisory_lock(%s, 'outbox'::regclass::oid::int)", (LOCK,))).fetchone()
        return bool(row and row[0])

    async def _send_batch(self, raw: "psycopg.AsyncConnection[Any]", producer: AIOKafkaProducer) -> bool:
        """Send one batch and mark it; whether there was one."""
        found = await (await raw.execute(_PENDING, (BATCH_ROWS, BATCH_BYTES_MAX))).fetchall()
        rows = [Pending(*one) for one in found]
        if not rows:
            return False
        sent = await _send(producer, rows)
        await mark(raw, sent.done)
        if sent.error is not None:
            raise sent.error
        return True

    async def _prune(self, raw: "psycopg.AsyncConnection[Any]") -> None:
        await raw.execute("DELETE FROM outbox WHERE published_at < now() - make_interval(days => %s)", (KEEP_DAYS,))


class Sent(NamedTuple):
    """`done`: acknowledged, and nothing earlier of their key is missing."""

    done: list[Placed]
    error: BaseException | None


async def _send(producer: AIOKafkaProducer, rows: Sequence[Pending]) -> Sent:
    """Send all, then wait for all. After a failure only those are done whose key has no earlier failure: the others
    go again, in order."""
    waiting: list[tuple[Pending, asyncio.Future[Any]]] = []
    error: BaseException | None = None
    for one in rows:
        headers = [(name, value.encode()) for name, value in one.headers]
        try:
            with _span(one):
                future = await producer.send(one.topic, key=one.key.encode(), value=one.value, headers=headers)
        except KafkaError as why:  # no metadata, not permitted: nothing after this one is sent
            error = why
            break
        waiting.append((one, future))
    answers = await asyncio.gather(*(future for _, future in waiting), return_exceptions=True)
    done: list[Placed] = []
    broken: set[tuple[str, str]] = set()
    for (one, _), answer in zip(waiting, answers, strict=True):
        if isinstance(answer, BaseException):
            error = error or answer
            broken.add((one.topic, one.key))
        elif (one.topic, one.key) not in broken:
            done.append(Placed(one.ce_id, answer.partition, answer.offset))
    return Sent(done, error)


def _span(one: Pending) -> AbstractContextManager[object]:
    """A span in the event's own trace; without the record key, which is somebody's pseudonym."""
    trace = dict(one.headers).get("traceparent")
    if trace is None:
        return nullcontext()
    about: dict[str, str | int] = {"messaging.system": "kafka", "messaging.message.id": one.ce_id}
    return telemetry.span(f"{one.topic} publish", kind=SpanKind.PRODUCER, parent=trace, attributes=about)


async def _wait(raw: "psycopg.AsyncConnection[Any]") -> None:
    """Until a notification or the polling floor."""
    async for _ in raw.notifies(timeout=POLL_SECONDS, stop_after=1):
        return


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(5):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        log.warning("relay: the producer did not stop cleanly")
