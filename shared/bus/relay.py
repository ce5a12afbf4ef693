"""The relay: sends the outbox to Kafka, in order, and marks what the broker acknowledged.

1. One relay per database: a PostgreSQL advisory lock on the relay's own connection; a second process stands by. While the
   broker is silent the connection is asked every second: who lost the lock stops sending.
2. It wakes by NOTIFY and looks every POLL_SECONDS anyway, so a lost notification costs a second, not an event.
3. It reconciles (shared/bus/reconcile.py): what the broker has already is marked, what it lost is sent again.
4. Unmarked rows, in id order, a batch at a time; no cursor, so a late commit is never missed.
5. Sent with acks=all by an idempotent producer.
6. Marked after the acknowledgement, with partition and offset. A crash between 5 and 6: step 3 of the next start.
Whatever fails goes back to 1 with a fresh connection and a fresh producer. A topic that the broker refuses is held back by
itself, loudly; the others go on.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.broker import BrokerSettings
from shared.bus.outbox import CHANNEL
from shared.bus.patience import asked_to_stop, ended
from shared.bus.reconcile import Placed, mark, reconcile
from shared.bus.sending import Pending, send
from shared.bus.trim import TRIM_SECONDS, trim
from shared.errors import UnavailableError

BATCH_ROWS = 500  # with events of a few kB: about a megabyte in memory
BATCH_BYTES_MAX = 8 * 1024 * 1024  # a batch of large events stops here
POLL_SECONDS = 1.0
STANDBY_SECONDS = 1.0  # how often a second process asks for the lock
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
HOLD_SECONDS = (5.0, 30.0, 60.0, 300.0)  # until a refused topic is tried again
LOCK = 4_718  # first half of the advisory lock; the second is the outbox table itself

log = logging.getLogger(__name__)

_PENDING = """
SELECT ce_id, topic, key, headers, value FROM (
  SELECT id, ce_id, topic, key, headers, value, sum(length(value)) OVER (ORDER BY id) AS total FROM (
    SELECT * FROM outbox WHERE published_at IS NULL AND topic <> ALL(%s) ORDER BY id LIMIT %s) AS waiting
) AS batch WHERE total - length(value) < %s ORDER BY id
"""
# A host that vanished must not hold the lock for the two hours that TCP allows by default.
_KEEPALIVE = "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"


@dataclass
class Held:
    """A topic that the broker refuses: how often, and when it is tried again."""

    times: int
    until: float


class Relay:
    """`run()` until cancelled; trouble with the database or the broker only makes it wait."""

    def __init__(self, engine: AsyncEngine, broker: BrokerSettings) -> None:
        self._engine = engine
        self._broker = broker
        self._held: dict[str, Held] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._trimmed = float("-inf")
        self.active = False  # holds the lock and has a producer: shown by /readyz

    @property
    def held(self) -> Sequence[str]:
        """Topics that the broker refuses at present."""
        return sorted(self._held)

    async def run(self) -> None:
        """Relay for ever."""
        failures = 0
        while True:
            try:
                await self._session()
            except asyncio.CancelledError:
                if asked_to_stop():
                    raise
                log.warning("relay: a client gave up; beginning anew")
                await asyncio.sleep(BACKOFF_SECONDS[1])
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
                await raw.execute(_KEEPALIVE)
                while not await self._locked(raw):  # noqa: ASYNC110 - another process holds it; there is no event
                    await asyncio.sleep(STANDBY_SECONDS)
                await raw.execute(f"LISTEN {CHANNEL}")
                found = await reconcile(raw, self._broker.consumer)
                if found:
                    log.info("the broker had %d events that the outbox did not know of", found)
                self._ends.clear()
                producer = self._broker.producer()
                await producer.start()
                self.active = True
                await self._relay(raw, producer)
            finally:
                if producer is not None:
                    await _stop(producer)
                # Closed, not returned to the pool: the lock and LISTEN go with it.
                await connection.invalidate()

    async def _locked(self, raw: "psycopg.AsyncConnection[Any]") -> bool:
        row = await (await raw.execute("SELECT pg_try_advisory_lock(%s, 'outbox'::regclass::oid::int)", (LOCK,))).fetchone()
        return bool(row and row[0])

    async def _relay(self, raw: "psycopg.AsyncConnection[Any]", producer: AIOKafkaProducer) -> None:
        while True:
            while await self._send_batch(raw, producer):
                pass
            if time.monotonic() - self._trimmed > TRIM_SECONDS:
                await trim(raw)
                self._trimmed = time.monotonic()
            await _wait(raw)

    async def _send_batch(self, raw: "psycopg.AsyncConnection[Any]", producer: AIOKafkaProducer) -> bool:
        """Send one batch and mark it; whether there was one."""
        held = [topic for topic, one in self._held.items() if time.monotonic() < one.until]
        found = await (await raw.execute(_PENDING, (held, BATCH_ROWS, BATCH_BYTES_MAX))).fetchall()
        rows = [Pending(*one) for one in found]
        if not rows:
            return False
        sent = await send(producer, rows, lambda: raw.execute("SELECT 1"))
        self._check(sent.done)
        await mark(raw, sent.done)
        for topic in {one.topic for one in sent.done} - set(sent.faults):
            self._held.pop(topic, None)
        for topic, fault in sent.faults.items():
            self._hold(topic, fault)
        if sent.error is not None:
            raise sent.error
        if sent.faults:  # the producer counts records that were refused: a fresh one, so that it does not miscount
            raise UnavailableError("a topic is held back")
        return True

    def _check(self, placed: Sequence[Placed]) -> None:
        """An offset that does not grow: the broker lost what it had, and was not asked since. `reconcile` finds out what."""
        for one in placed:
            before = self._ends.get((one.topic, one.partition), -1)
            if one.offset <= before:
                raise UnavailableError("the broker lost records")
            self._ends[one.topic, one.partition] = one.offset

    def _hold(self, topic: str, fault: str) -> None:
        times = self._held[topic].times + 1 if topic in self._held else 0
        seconds = HOLD_SECONDS[min(times, len(HOLD_SECONDS) - 1)]
        self._held[topic] = Held(times, time.monotonic() + seconds)
        log.error("the broker refuses %s (%s): its events wait, next try in %.0f s", topic, fault, seconds)


async def _wait(raw: "psycopg.AsyncConnection[Any]") -> None:
    """Until a notification or the polling floor."""
    async for _ in raw.notifies(timeout=POLL_SECONDS, stop_after=1):
        return


async def _stop(producer: AIOKafkaProducer) -> None:
    """Without a sender left behind: one that still tried would send beside the next one, twice and out of order."""
    if await ended(producer.stop()):
        return
    if producer._sender is not None and producer._sender.sender_task is not None:  # no public way to give batches up
        producer._sender.sender_task.cancel()
    await ended(producer.client.close())
