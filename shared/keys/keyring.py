"""The keyring: one data key per subject and service, wrapped by the service's transit key. Shredding destroys it.

Unwrapped keys live in a bounded, short-lived cache; each use asks first that Vault is there and unsealed (fail closed).
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Column, ColumnElement, Text, any_, delete, func, insert, literal, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from shared.db import KernelTables
from shared.errors import InvariantError, ShreddedError
from shared.keys.cipher import DataKey, Place, Sealed, new_data_key, open_, seal
from shared.keys.vault import Vault

CACHE_KEYS_MAX = 10_000  # 32 bytes each and their names: about 3 MB
CACHE_SECONDS = 60.0  # how long another replica's shred may stay unnoticed if its event is late

QUERY_SUBJECTS_MAX = 5_000  # of one query

# Making keys is shared, shredding is exclusive: without it a key made while its subject is shredded would survive.
_CREATING = text("SELECT pg_advisory_xact_lock_shared(4717)")
_SHREDDING = text("SELECT pg_advisory_xact_lock(4717)")


@dataclass(frozen=True)
class ShredReport:
    """`found`: whether there was a key. `version`: the destroyed key's version, 0 if there was none."""

    subject: str
    found: bool
    version: int


@dataclass(frozen=True)
class KeyringStatus:
    """Counts: live keys, shredded subjects, keys in this process's memory."""

    service: str
    live: int
    shredded: int
    cached: int


class Keyring:
    """One per service. Keys in clear exist here and nowhere else."""

    def __init__(self, service: str, vault: Vault, tables: KernelTables) -> None:
        self.service = service
        self._vault = vault
        self._kek = f"kept-{service}"
        self._t = tables
        self._cache: OrderedDict[str, tuple[float, DataKey]] = OrderedDict()
        self._evicted: dict[str, float] = {}

    async def hold(self, session: AsyncSession) -> None:
        """Until the caller's transaction ends, nobody is shredded."""
        await session.execute(_CREATING)

    async def create(self, session: AsyncSession, subjects: Sequence[str]) -> None:
        """Make and store data keys, wrapped in batches. ShreddedError for a subject that was shredded before."""
        await session.execute(_CREATING)  # no shred between the look below and our commit
        for part in _parts(subjects):
            gone = await session.scalar(select(self._t.shredded.c.subject).where(_among(self._t.shredded.c.subject, part)))
            if gone is not None:
                raise ShreddedError()
            keys = [new_data_key() for _ in part]
            wrapped = await self._vault.encrypt(self._kek, [k.secret for k in keys])
            rows = [{"subject": s, "version": k.version, "wrapped": w} for s, k, w in zip(part, keys, wrapped, strict=True)]
            await session.execute(insert(self._t.keyring), rows)

    async def keys(self, session: AsyncSession, subjects: Iterable[str]) -> dict[str, DataKey | None]:
        """A data key for each, made where there is none yet; None where it was shredded. Until the caller's transaction ends,
        nobody is shredded."""
        await self._vault.require()
        await session.execute(_CREATING)
        found: dict[str, DataKey | None] = {}
        for part in _parts(list(dict.fromkeys(subjects))):
            gone = await session.scalars(select(self._t.shredded.c.subject).where(_among(self._t.shredded.c.subject, part)))
            for subject in gone:
                self.evict(subject)
                found[subject] = None
            alive = [s for s in part if s not in found]
            found |= {s: key for s in alive if (key := self._cached(s)) is not None}
            found |= await self._unwrap(session, [s for s in alive if s not in found])
            found |= await self._made(session, [s for s in alive if s not in found])
        return found

    async def _made(self, session: AsyncSession, subjects: Sequence[str]) -> dict[str, DataKey]:
        """New keys, except where somebody else was faster: then theirs."""
        if not subjects:
            return {}
        keys = [new_data_key() for _ in subjects]
        wrapped = await self._vault.encrypt(self._kek, [k.secret for k in keys])
        rows = [{"subject": s, "version": k.version, "wrapped": w} for s, k, w in zip(subjects, keys, wrapped, strict=True)]
        insert_ = upsert(self._t.keyring).on_conflict_do_nothing().returning(self._t.keyring.c.subject)
        ours = set(await session.scalars(insert_, rows))
        made = {s: key for s, key in zip(subjects, keys, strict=True) if s in ours}
        return made | await self._unwrap(session, [s for s in subjects if s not in ours])

    async def prefetch(self, session: AsyncSession, subjects: Iterable[str]) -> None:
        """Unwrap what is not cached, in one batch. Subjects without a key are left out."""
        await self._vault.require()
        missing = [s for s in dict.fromkeys(subjects) if self._cached(s) is None]
        for part in _parts(missing):
            await self._unwrap(session, part)

    async def _unwrap(self, session: AsyncSession, subjects: Sequence[str]) -> dict[str, DataKey]:
        if not subjects:
            return {}
        t = self._t.keyring
        started = time.monotonic()
        query = select(t.c.subject, t.c.version, t.c.wrapped).where(_among(t.c.subject, subjects))
        rows = (await session.execute(query)).all()
        secrets = await self._vault.decrypt(self._kek, [r.wrapped for r in rows]) if rows else []
        keys = {row.subject: DataKey(row.version, secret) for row, secret in zip(rows, secrets, strict=True)}
        for subject, key in keys.items():
            self._remember(subject, key, started)
        return keys

    async def key(self, session: AsyncSession, subject: str) -> DataKey:
        """The subject's data key. ShreddedError if it was destroyed, InvariantError if there never was one."""
        await self._vault.require()
        found = self._cached(subject) or (await self._unwrap(session, [subject])).get(subject)
        if found is not None:
            return found
        gone = await session.scalar(select(self._t.shredded.c.subject).where(self._t.shredded.c.subject == subject))
        if gone is not None:
            raise ShreddedError()
        raise InvariantError("the subject has no data key")

    async def seal(self, session: AsyncSession, column: InstrumentedAttribute[Any], subject: str, value: str) -> Sealed:
        """Encrypt `value` for `column` of `subject`."""
        return seal(await self.key(session, subject), self.place(column, subject), value)

    async def open(self, session: AsyncSession, column: InstrumentedAttribute[Any], subject: str, sealed: Sealed) -> str:
        """Decrypt. ShreddedError, TamperError, UnavailableError."""
        return open_(await self.key(session, subject), self.place(column, subject), sealed)

    def place(self, column: InstrumentedAttribute[Any], subject: str) -> Place:
        return Place(self.service, str(column.class_.__tablename__), column.key, subject)

    async def shred(self, session: AsyncSession, subject: str, now: datetime) -> ShredReport:
        """Destroy the subject's key, and remember that it is gone so that none is ever made again. Idempotent.

        1. Wait for those who are making keys. 2. The tombstone. 3. The wrapped key. All in the caller's transaction: a
        crash leaves both or neither. 4. The cache, at once: a rollback only costs some unwrapping.
        """
        await session.execute(_SHREDDING)
        await session.execute(upsert(self._t.shredded).values(subject=subject, shredded_at=now).on_conflict_do_nothing())
        t = self._t.keyring
        version = await session.scalar(delete(t).where(t.c.subject == subject).returning(t.c.version))
        self.evict(subject)
        return ShredReport(subject, version is not None, version or 0)

    def evict(self, subject: str) -> None:
        """Forget the cached key now, and for CACHE_SECONDS keep no new one: somebody who read the wrapped key before the
        shred committed may be waiting for Vault this moment."""
        self._cache.pop(subject, None)
        now = time.monotonic()
        self._evicted = {s: until for s, until in self._evicted.items() if until > now}
        self._evicted[subject] = now + CACHE_SECONDS

    def _cached(self, subject: str) -> DataKey | None:
        found = self._cache.get(subject)
        if found is None or found[0] < time.monotonic():
            self._cache.pop(subject, None)
            return None
        self._cache.move_to_end(subject)
        return found[1]

    def _remember(self, subject: str, key: DataKey, read_at: float) -> None:
        if self._evicted.get(subject, 0.0) > time.monotonic():
            return
        self._cache[subject] = (read_at + CACHE_SECONDS, key)
        while len(self._cache) > CACHE_KEYS_MAX:
            self._cache.popitem(last=False)

    async def status(self, session: AsyncSession) -> KeyringStatus:
        """How many keys there are and were, for `kept keys status`."""
        live = await session.scalar(select(func.count()).select_from(self._t.keyring))
        gone = await session.scalar(select(func.count()).select_from(self._t.shredded))
        return KeyringStatus(self.service, live or 0, gone or 0, len(self._cache))


def _among(column: Column[Any], subjects: Sequence[str]) -> ColumnElement[bool]:
    """As one parameter, however many: as one each they take longer to say than to look up."""
    return column == any_(literal(list(subjects), ARRAY(Text)))


def _parts(subjects: Sequence[str]) -> Iterator[Sequence[str]]:
    return (subjects[start : start + QUERY_SUBJECTS_MAX] for start in range(0, len(subjects), QUERY_SUBJECTS_MAX))
