"""The relay: sends the outbox to Kafka, in order, and marks what the broker acknowledged.

1. One process of a service relays (shared/leader.py), on the connection that it leads on; a second one stands by. While the
   broker is silent that connection is asked every second: who lost the lead stops sending.
2. The door of its own process wakes it after each commit. What another process commits it finds by looking: every
   BESIDE_SECONDS while another stands by, else every POLL_SECONDS. PostgreSQL's NOTIFY would have all commits with events
   wait for one another, those of other databases too.
3. It reconciles (shared/bus/reconcile.py): what the broker has already is marked, what it lost is sent again.
4. Unmarked rows, in id order, a batch at a time. While a batch is under way the one before is marked and the one after fetched:
   from the first id, without those under way. There is no cursor: of a person's two events the earlier may commit after a
   stranger's with a higher id was sent (an import's ids are minutes old), and still goes before the later one.
5. Sent with acks=all by an idempotent producer.
6. Marked after the acknowledgement, with partition and offset. A crash between 5 and 6: step 3 of the next start.
Whatever fails goes back to 1 with a fresh connection and a fresh producer: a database or broker that is away, and a defect,
which is told and counted as one (`loops` in /readyz, kept_loop_failures_total). A topic that the broker refuses is held back by
itself, loudly; the others go on.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError
from psycopg.types.json import set_json_loads
from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.broker import BrokerSettings
from shared.bus.kafka import Producer
from shared.bus.reconcile import Connection, Placed, mark_sent, reconcile
from shared.bus.sending import Pending, Sent, send
from shared.bus.trim import TRIM_SECONDS, trim
from shared.errors import UnavailableError
from shared.leader import Leader
from shared.locks import Lock
from shared.loops.forever import forever, health
from shared.metrics import RELAY_DELAY
from shared.timeouts import closed

BATCH_ROWS = 1_000  # with events of a few kB: a few megabytes in memory, and as much of the next
BATCHES_MAX = 20  # one after the other, before it is asked whether something must be trimmed
BATCH_BYTES_MAX = 8 * 1024 * 1024  # a batch of large events stops here
POLL_SECONDS = 1.0
BESIDE_SECONDS = 0.05
GATHER_SECONDS = 0.05  # between two batches that are not full: one for each commit would cost more than it is worth
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.2, 5.0  # before it begins anew
AWAY = (KafkaError, OSError)  # the broker; of the database shared/leader.py says whether it is away, or this is a defect
HOLD_SECONDS = (5.0, 30.0, 60.0, 300.0)  # until a refused topic is tried again
log = logging.getLogger(__name__)

_PENDING = """
SELECT ce_id, topic, key, headers, value, id, extract(epoch FROM clock_timestamp() - created_at)::float FROM (
  SELECT id, ce_id, topic, key, headers, value, created_at, sum(length(value)) OVER (ORDER BY id) AS total FROM (
    SELECT outbox.* FROM outbox LEFT JOIN unnest(%s::bigint[]) AS away (id) USING (id)
    WHERE away.id IS NULL AND published_at IS NULL AND topic <> ALL(%s) ORDER BY id LIMIT %s) AS waiting
) AS batch WHERE total - length(value) < %s ORDER BY id
"""
_OUTBOX = "'outbox'::regclass::oid::int"  # one relay for each: tests have several in one database


@dataclass
class Held:
    """A topic that the broker refuses: how often, and when it is tried again."""

    times: int
    until: float


@dataclass
class Batch:
    """Events that wait; when they were fetched."""

    rows: Sequence[Pending] = ()
    fetched: float = field(default_factory=time.monotonic, init=False)

    def sent(self, done: Sequence[Placed]) -> None:
        """Observe how long these took."""
        since, ages = time.monotonic() - self.fetched, {one.ce_id: one.age for one in self.rows}
        for one in done:
            RELAY_DELAY.observe(ages[one.ce_id] + since)


class Relay:
    """`run()` until cancelled; trouble with the database or the broker only makes it wait."""

    def __init__(self, engine: AsyncEngine, broker: BrokerSettings, wake: asyncio.Event) -> None:
        """`wake`: of the door (shared/work.py)."""
        self._leader = Leader(engine, "relay", Lock.RELAY, _OUTBOX)
        self._broker = broker
        self._wake = wake
        self._held: dict[str, Held] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._trimmed = self._looked = float("-inf")
        self._beside = False  # another process stands by, and may commit what nobody wakes this one for
        self.active = False  # leads, and has a producer: shown by /readyz

    @property
    def stands_by(self) -> bool:
        """Whether another process has this duty."""
        return self._leader.stands_by

    @property
    def held(self) -> Sequence[str]:
        """Topics that the broker refuses at present."""
        return sorted(self._held)

    async def run(self) -> None:
        """Relay for ever."""
        await forever("relay", self._round, every=PAUSE_SECONDS, pause_max=PAUSE_SECONDS_MAX, expected=AWAY)

    async def _round(self) -> None:
        try:
            await self._session()
        finally:
            self.active = False

    async def _session(self) -> None:
        """One connection, one lock, one producer, until something breaks."""
        async with self._leader.leading() as raw:
            set_json_loads(from_json, raw)  # of the headers: twice as fast as Python's own
            producer: Producer | None = None
            try:
                found = await reconcile(raw, self._broker.consumer)
                if found:
                    log.info("the broker had %d events that the outbox did not know of", found)
                self._ends.clear()
                producer = self._broker.producer()
                await producer.start()
                self.active = True
                health("relay").well()
                await self._relay(raw, producer)
            finally:
                if producer is not None and not await closed(producer.stop()):
                    producer.give_up()

    async def _relay(self, raw: Connection, producer: Producer) -> None:
        while True:
            self._wake.clear()  # before looking: what is committed meanwhile is met by the next look
            began = time.monotonic()
            more = await self._send_waiting(raw, producer)
            if time.monotonic() - self._trimmed > TRIM_SECONDS:
                self._trimmed = time.monotonic()  # before: what cannot be trimmed keeps no event back
                await trim(raw)
            if not more:
                await self._wait(raw)
                await asyncio.sleep(began + GATHER_SECONDS - time.monotonic())

    async def _wait(self, raw: Connection) -> None:
        """Until the door says that there is something, or it is time to look."""
        if time.monotonic() - self._looked > POLL_SECONDS:
            self._looked = time.monotonic()
            self._beside = await self._leader.others(raw)
        try:
            async with asyncio.timeout(BESIDE_SECONDS if self._beside else POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _send_waiting(self, raw: Connection, producer: Producer) -> bool:
        """Send what waits, batch after batch, and mark it; whether there may be more."""
        batch, before = await self._fetch(raw), Sent([], None, {})
        for _ in range(BATCHES_MAX):
            if not batch.rows:
                break
            sending = asyncio.ensure_future(send(producer, batch.rows, lambda: raw.execute("SELECT 1")))
            try:
                await mark_sent(raw, before.done)
                following = await self._fetch(raw, batch.rows)
                before = await sending
                batch.sent(before.done)
            finally:
                sending.cancel()  # unless it is done
                await asyncio.wait({sending})
            await self._judge(raw, before)
            batch = following
        await mark_sent(raw, before.done)
        return bool(batch.rows)

    async def _fetch(self, raw: Connection, away: Sequence[Pending] = ()) -> "Batch":
        """The first that wait; these are under way."""
        held = [topic for topic, one in self._held.items() if time.monotonic() < one.until]
        found = await (await raw.execute(_PENDING, ([one.id for one in away], held, BATCH_ROWS, BATCH_BYTES_MAX))).fetchall()
        return Batch([Pending(*one) for one in found])

    async def _judge(self, raw: Connection, sent: Sent) -> None:
        """Raises where this must begin anew; what was sent is marked then."""
        self._check(sent.done)
        for topic in {one.topic for one in sent.done} - set(sent.faults):
            self._held.pop(topic, None)
        for topic, fault in sent.faults.items():
            self._hold(topic, fault)
        if sent.error is None and not sent.faults:
            return
        await mark_sent(raw, sent.done)
        # The producer counts records that were refused: a fresh one, so that it does not miscount.
        raise sent.error or UnavailableError("a topic is held back")

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
