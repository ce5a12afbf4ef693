"""The outbox: events wait here, in the same transaction as the change they tell of, until the relay has sent them.

Rows are written last, after a lock on each record key that is held to commit: for one key the order of ids is the
order of commits (docs/decisions/0004). Values are what goes on the bus, so nothing in clear stands here either.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, LargeBinary, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from shared.bus.envelope import Record
from shared.errors import TooLargeError

EVENT_BYTES_MAX = 900 * 1024  # key, headers and value: below the broker's default record limit of 1 MiB
CHANNEL = "kept_outbox"
# Keys share this many locks, so that a transaction about ten thousand people cannot exhaust PostgreSQL's lock table
# (64 per connection by default); two people in one bucket only wait a moment for one another.
LOCK_BUCKETS = 512
_LOCK_SPACE = 4_720_000  # first number of ours among the advisory locks

# One after another in the order of the array: a function in the select list is called row by row, as unnest gives them.
_LOCK = text("SELECT pg_advisory_xact_lock(one) FROM unnest(:locks) AS one").bindparams(
    bindparam("locks", type_=ARRAY(BigInteger))
)
_INSERT = text(
    "INSERT INTO outbox (ce_id, topic, key, headers, value) VALUES (:ce_id, :topic, :key, :headers, :value)"
).bindparams(bindparam("headers", type_=JSONB), bindparam("value", type_=LargeBinary))
_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', '')")


@dataclass(frozen=True)
class Row:
    """One event on its way into the outbox."""

    ce_id: str
    record: Record


def row(ce_id: str, record: Record) -> Row:
    """The row for `record`; TooLargeError for one that the broker would refuse: better here than in the relay."""
    size = len(record.key or b"") + len(record.value or b"") + sum(len(n) + len(v) for n, v in record.headers)
    if size > EVENT_BYTES_MAX:
        raise TooLargeError(f"an event has at most {EVENT_BYTES_MAX} bytes")
    return Row(ce_id, record)


def lock_of(key: bytes) -> int:
    """The advisory lock that stands for a record key."""
    return _LOCK_SPACE + int.from_bytes(hashlib.sha256(key).digest()[:8], "big") % LOCK_BUCKETS


async def flush(session: AsyncSession, rows: Sequence[Row]) -> None:
    """1. Lock the keys, in one order for everybody, so that two transactions never wait in a circle.
    2. Insert, in the order of publishing. 3. Wake the relay when (and only if) this commits."""
    if not rows:
        return
    await session.execute(_LOCK, {"locks": sorted({lock_of(one.record.key or b"") for one in rows})})
    await session.execute(
        _INSERT,
        [
            {
                "ce_id": one.ce_id,
                "topic": one.record.topic,
                "key": (one.record.key or b"").decode(),
                "headers": [[name, value.decode()] for name, value in one.record.headers],
                "value": one.record.value,
            }
            for one in rows
        ],
    )
    await session.execute(_NOTIFY)
