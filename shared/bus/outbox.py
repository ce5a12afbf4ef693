"""The outbox: events wait here, in the same transaction as the change they tell of, until the relay has sent them.

Rows are written last, after a lock on each record key that is held to commit: for one key the order of ids is the
order of commits (docs/decisions/0004). Events that need no order (looks, refusals) take no lock. Values are what goes on
the bus, so nothing in clear stands here either.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession

from shared import storing
from shared.bus.envelope import Record
from shared.db import kernel_tables
from shared.errors import TooLargeError
from shared.locks import ORDER
from shared.trips import Statement

EVENT_BYTES_MAX = 900 * 1024  # key, headers and value: below the broker's default record limit of 1 MiB
# Keys share this many locks, so that a transaction about ten thousand people cannot exhaust PostgreSQL's lock table
# (64 per connection by default); two people in one bucket only wait a moment for one another.
LOCK_BUCKETS = 512

_TABLE = kernel_tables(MetaData()).outbox
# A subquery that depends on no row is evaluated before a row is put together: the locks are held, in the order of the array,
# before the first gets its id; ids are given in the order of the query.
_LOCKED = " WHERE (SELECT count(pg_advisory_xact_lock(one)) FROM unnest(%(locks)s::bigint[]) AS one) >= 0"
_INSERT = (
    "INSERT INTO outbox (ce_id, topic, key, headers, value)"
    " SELECT %(ce_id)s, %(topic)s, %(key)s, %(headers)s::jsonb, %(value)s" + _LOCKED
)
_ROWS = (
    "unnest(%(ce_id)s::text[], %(topic)s::text[], %(key)s::text[], %(headers)s::text[], %(value)s::bytea[])"
    " WITH ORDINALITY AS row (ce_id, topic, key, headers, value, place)"
)
_INSERT_MANY = (
    "INSERT INTO outbox (ce_id, topic, key, headers, value)"  # noqa: S608 - texts of ours
    f" SELECT ce_id, topic, key, headers::jsonb, value FROM {_ROWS}{_LOCKED} ORDER BY place"
)
ROWS_MAX = 500  # of one statement


@dataclass(frozen=True)
class Row:
    """One event on its way into the outbox."""

    ce_id: str
    record: Record
    ordered: bool = True


def row(ce_id: str, record: Record, *, ordered: bool = True) -> Row:
    """The row for `record`, which keeps its place among those of its key if it is `ordered`. TooLargeError for one that the
    broker would refuse: better here than in the relay."""
    size = len(record.key or b"") + len(record.value or b"") + sum(len(n) + len(v) for n, v in record.headers)
    if size > EVENT_BYTES_MAX:
        raise TooLargeError(f"an event has at most {EVENT_BYTES_MAX} bytes")
    return Row(ce_id, record, ordered)


def lock_of(key: bytes) -> int:
    """The advisory lock that stands for a record key."""
    return ORDER + int.from_bytes(hashlib.sha256(key).digest()[:8], "big") % LOCK_BUCKETS


def statements(rows: Sequence[Row]) -> list[Statement]:
    """1. Lock the keys of what is ordered, in one order for everybody, so that two transactions never wait in a circle: with
    the first rows. 2. Insert, in the order of publishing. Whoever commits wakes the relay."""
    locks = sorted({lock_of(one.record.key or b"") for one in rows if one.ordered})
    parts = [[_values(one) for one in rows[start : start + ROWS_MAX]] for start in range(0, len(rows), ROWS_MAX)]
    return [_inserting(values, [] if n else locks) for n, values in enumerate(parts)]


def _inserting(rows: Sequence[Mapping[str, Any]], locks: Sequence[int]) -> Statement:
    if len(rows) == 1:
        return Statement(_INSERT, {**rows[0], "locks": locks})
    return Statement(_INSERT_MANY, {**{name: [row[name] for row in rows] for name in rows[0]}, "locks": locks})


async def copied(session: AsyncSession, rows: Sequence[Row]) -> None:
    """Into the outbox now, before the commit: of many people, whose events need no order."""
    await storing.copied(session, _TABLE, [{**_values(one), "headers": _headers(one)} for one in rows])


def _headers(one: Row) -> list[list[str]]:
    return [[name, value.decode()] for name, value in one.record.headers]


def _values(one: Row) -> dict[str, Any]:
    return {
        "ce_id": one.ce_id,
        "topic": one.record.topic,
        "key": (one.record.key or b"").decode(),
        "headers": json.dumps(_headers(one)),
        "value": one.record.value,
    }
