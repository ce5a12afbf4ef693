"""How long the outbox and the inbox remember, and what is done about what the inbox has forgotten.

The outbox keeps published rows KEEP_DAYS, for a broker that lost what it had; of each partition the newest row stays, so
that the relay knows where it was. The inbox must remember longer than anything can be delivered again: than the outbox
sends again, and than a consumer group is away. It keeps INBOX_DAYS and writes down up to when it has forgotten. An event from
before that time that it does not know is neither acted on (it may be the second time) nor passed over (it may be the
first): it goes to the dead letters as `forgotten`, and a person says by `kept dlq replay` that it counts.
"""

from datetime import datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import MalformedError

KEEP_DAYS = 30
INBOX_DAYS = 400  # more than a year, so that what returns yearly is known; about 100 bytes an event
SKEW = timedelta(days=1)  # an event's time is its publisher's clock, the inbox's is the database's
ROWS_MAX = 5_000  # a step: short transactions, and no other work waits for the trimming
TRIM_SECONDS = 3600.0
FLOOR = "~forgotten-before"  # the inbox row that says up to when it was trimmed; no ce_id starts with ~

Connection = psycopg.AsyncConnection[Any]

_NEWEST = """
SELECT DISTINCT ON (topic, partition) id FROM outbox
WHERE partition IS NOT NULL ORDER BY topic, partition, "offset" DESC
"""
_OUTBOX = """
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
  WHERE published_at < now() - make_interval(days => %s) AND id <> ALL(%s) ORDER BY id LIMIT %s)
"""
# The floor first, then the rows: a crash between them leaves rows that are still known, which is the safe way round.
_FLOOR = """
INSERT INTO inbox (ce_id, handled_at) SELECT %s, now() - make_interval(days => %s)
WHERE EXISTS (SELECT FROM inbox WHERE handled_at < now() - make_interval(days => %s) AND ce_id <> %s)
ON CONFLICT (ce_id) DO UPDATE SET handled_at = excluded.handled_at
"""
_INBOX = """
DELETE FROM inbox WHERE ce_id IN (SELECT ce_id FROM inbox
  WHERE handled_at < (SELECT handled_at FROM inbox WHERE ce_id = %s) AND ce_id <> %s LIMIT %s)
"""


class ForgottenError(MalformedError):
    """The inbox no longer knows whether this event was handled."""

    code = "forgotten"


async def trim(connection: Connection) -> None:
    """Once; in small steps, each a transaction of its own (the connection commits by itself)."""
    newest = [one for (one,) in await (await connection.execute(_NEWEST)).fetchall()]
    while (await connection.execute(_OUTBOX, (KEEP_DAYS, newest, ROWS_MAX))).rowcount == ROWS_MAX:
        pass
    await connection.execute(_FLOOR, (FLOOR, INBOX_DAYS, INBOX_DAYS, FLOOR))
    while (await connection.execute(_INBOX, (FLOOR, FLOOR, ROWS_MAX))).rowcount == ROWS_MAX:
        pass


async def refuse_forgotten(session: AsyncSession, time: datetime, now: datetime) -> None:
    """ForgottenError where an event of `time`, which the inbox does not know, may have been handled and trimmed."""
    if now - time < timedelta(days=INBOX_DAYS) - SKEW:
        return
    floor = await session.scalar(text("SELECT handled_at FROM inbox WHERE ce_id = :floor"), {"floor": FLOOR})
    if floor is not None and time < floor + SKEW:
        raise ForgottenError
