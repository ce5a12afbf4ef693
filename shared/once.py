"""A request that is done once, however often it is sent (`Idempotency-Key`, draft-ietf-httpapi-idempotency-key-header).

The entry commits in the transaction of the change itself: a crash leaves both or neither. It holds no personal value and
nothing that could be guessed back to one (docs/decisions/0010): the key is hashed with its actor, the request is a MAC
under the key, which only the sender has, and an answer is kept only where its type is `Impersonal`.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from shared import trips
from shared.errors import ConflictError, InvalidInputError
from shared.locks import Lock
from shared.trips import Statement

KEPT_FOR = timedelta(hours=24)  # a client that tries again later than this asks anew
EXPIRED_MAX = 100  # swept by one request

_LOCK = "pg_advisory_xact_lock(%(space)s, %(lock)s) IS NOT NULL"
_TRY_LOCK = "pg_try_advisory_xact_lock(%(space)s, %(lock)s)"
# The lock is taken before a row is put together; whether there is an entry is then asked of the index, not of the statement's
# snapshot, which may be older than the commit of whoever had the lock. The entry of one that has expired is written over.
_CLAIM = """
WITH turn AS MATERIALIZED (SELECT {lock} AS mine),
swept AS (
  DELETE FROM idempotency WHERE key IN (
    SELECT key FROM idempotency WHERE created_at < %(expired)s AND key <> %(key)s LIMIT %(most)s FOR UPDATE SKIP LOCKED)),
entered AS (
  INSERT INTO idempotency AS entry (key, request_hash, status, created_at)
  SELECT %(key)s, %(request)s, %(status)s, %(now)s FROM turn WHERE mine
  ON CONFLICT (key) DO UPDATE
  SET request_hash = excluded.request_hash, status = excluded.status, body = NULL, created_at = excluded.created_at
  WHERE entry.created_at < %(expired)s
  RETURNING 1)
SELECT mine, EXISTS (SELECT FROM entered) FROM turn"""
_ENTRY = "SELECT request_hash, status, body FROM idempotency WHERE key = %(key)s"
_KEEP = "UPDATE idempotency SET body = %(body)s WHERE key = %(key)s"


class Impersonal(BaseModel):
    """An answer of pseudonyms, counts, dates and our own words: it may lie in the database in clear (P1)."""


A = TypeVar("A", bound=BaseModel)


class AnsweredBefore(Exception):  # no error: the answer of the first time
    """What was answered the first time; shared/http/problem.py gives it again."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__()
        self.status = status
        self.body = body


class Once:
    """One request under its sender's key. Without a key every verb does nothing."""

    def __init__(
        self,
        key: str,
        actor: str,
        request: bytes,
        status: int,
        told: Callable[[BaseModel], None] = lambda _: None,
        *,
        waits: bool = False,
    ) -> None:
        """`request`: all that makes it this request; `status`: of the answer when it succeeds; `told`: hears the answer;
        `waits`: one that comes while the first still runs waits for its end (a second click), else it is refused."""
        self._used = bool(key)
        self._key = hashlib.sha256(f"{actor}\0{key}".encode()).digest()
        self._request = hmac.new(key.encode(), request, hashlib.sha256).digest() if key else b""
        self._status = status
        self._told = told
        self._waits = waits
        self._body: bytes | None = None

    def answer(self, body: A, kept: Impersonal | None = None) -> A:
        """Keep `body` for the next time, if it is one that may be kept, else what it says without anybody in it (`kept`).
        Call it before the transaction ends."""
        keep = body if isinstance(body, Impersonal) else kept
        if keep is not None:
            self._body = keep.model_dump_json().encode()
        self._told(body)
        return body

    async def claim(self, session: AsyncSession, now: datetime) -> None:
        """First thing in the transaction. AnsweredBefore; ConflictError while the first one runs, or where its answer
        was not kept; InvalidInputError for the same key with another request.

        1. The key's lock: whoever has it runs this moment. What expired goes. The entry. 2. Where there is one already, what it
        says."""
        if not self._used:
            return
        values = {
            "space": int(Lock.ONCE), "lock": int.from_bytes(self._key[:4], "big", signed=True), "key": self._key.hex(),
            "request": self._request, "status": self._status, "now": now, "expired": now - KEPT_FOR, "most": EXPIRED_MAX,
        }  # fmt: skip
        claim = Statement(_CLAIM.format(lock=_LOCK if self._waits else _TRY_LOCK), values)
        ((mine, first),) = (await trips.together(session, [claim]))[0]  # 1
        if not mine:
            raise ConflictError("the first request with this Idempotency-Key is still running")
        if first:
            return
        ((request, status, body),) = (await trips.together(session, [Statement(_ENTRY, {"key": self._key.hex()})]))[0]  # 2
        if not hmac.compare_digest(request, self._request):
            raise InvalidInputError("this Idempotency-Key belongs to another request", field="Idempotency-Key")
        if body is None:
            raise ConflictError("this was done already; its answer was not kept, because it holds personal data")
        raise AnsweredBefore(status, body)

    def kept(self) -> list[Statement]:
        """Last thing in the transaction: the answer beside the change."""
        if not self._used or self._body is None:
            return []
        return [Statement(_KEEP, {"body": self._body, "key": self._key.hex()})]
