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
from sqlalchemy import Integer, LargeBinary, String, column, delete, select, table
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import DateTime

from shared.errors import ConflictError, InvalidInputError

KEPT_FOR = timedelta(hours=24)  # a client that tries again later than this asks anew
EXPIRED_MAX = 100  # swept by one request

_T = table(
    "idempotency",
    column("key", String),
    column("request_hash", LargeBinary),
    column("status", Integer),
    column("body", LargeBinary),
    column("created_at", DateTime(timezone=True)),
)
_TRY_LOCK = sql("SELECT pg_try_advisory_xact_lock(:space, :key)")
_LOCK = sql("SELECT pg_advisory_xact_lock(:space, :key)")
_LOCK_SPACE = 4_721  # first number of ours among the advisory locks


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

    def answer(self, body: A) -> A:
        """Keep `body` for the next time, if it is one that may be kept. Call it before the transaction ends."""
        if isinstance(body, Impersonal):
            self._body = body.model_dump_json().encode()
        self._told(body)
        return body

    async def claim(self, session: AsyncSession, now: datetime) -> None:
        """First thing in the transaction. AnsweredBefore; ConflictError while the first one runs, or where its answer
        was not kept; InvalidInputError for the same key with another request.

        1. The key's lock: whoever has it runs this moment. 2. What expired goes. 3. The entry, if any."""
        if not self._used:
            return
        lock = int.from_bytes(self._key[:4], "big", signed=True)
        place = {"space": _LOCK_SPACE, "key": lock}
        if self._waits:  # 1
            await session.execute(_LOCK, place)
        elif not await session.scalar(_TRY_LOCK, place):
            raise ConflictError("the first request with this Idempotency-Key is still running")
        await self._sweep(session, now)  # 2
        row = (await session.execute(select(_T).where(_T.c.key == self._key.hex()))).one_or_none()  # 3
        if row is None:
            entry = {"key": self._key.hex(), "request_hash": self._request, "status": self._status, "created_at": now}
            await session.execute(insert(_T).values(entry))
            return
        if not hmac.compare_digest(row.request_hash, self._request):
            raise InvalidInputError("this Idempotency-Key belongs to another request", field="Idempotency-Key")
        if row.body is None:
            raise ConflictError("this was done already; its answer was not kept, because it holds personal data")
        raise AnsweredBefore(row.status, row.body)

    async def keep(self, session: AsyncSession) -> None:
        """Last thing in the transaction: the answer beside the change."""
        if self._used and self._body is not None:
            await session.execute(_T.update().where(_T.c.key == self._key.hex()).values(body=self._body))

    async def _sweep(self, session: AsyncSession, now: datetime) -> None:
        old = select(_T.c.key).where(_T.c.created_at < now - KEPT_FOR).limit(EXPIRED_MAX).with_for_update(skip_locked=True)
        await session.execute(delete(_T).where(_T.c.key.in_(old)))
