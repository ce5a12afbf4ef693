"""The keyring: one data key per subject and service, wrapped by the service's transit key. Shredding destroys it.

Whoever reads a person's row reads the wrapped key with it, and keys in clear are remembered by their wrapped text
(shared/keys/cache.py): a key that was shredded a moment ago is found by nobody, whatever any process remembers.

Who makes keys shares a lock that nobody waits for: a rotation tries to have it alone for a moment, and so knows that no key is
on its way that was wrapped before (`settled`).

A maker and a shred of one person are ordered by the person's row (its unique index): whoever comes second waits for the first,
and sees what it did. Nobody waits for what happens to other people.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Select, Text, any_, exists, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared import trips
from shared.db import KernelTables
from shared.errors import ConflictError, InvariantError, ShreddedError
from shared.keys.cache import CACHED_MAX, KeyCache
from shared.keys.cipher import DataKey, new_data_key
from shared.keys.prepared import MAKING, CoveredKey, Prepared
from shared.keys.vault import Vault
from shared.locks import Lock

QUERY_SUBJECTS_MAX = 5_000  # of one query
ALONE = text(f"SELECT pg_try_advisory_xact_lock({Lock.KEYS:d})")  # not waited for: who makes keys would wait behind it


class WrappedKey(NamedTuple):
    """A person's data key as the row has it; `wrapped` is None where it was shredded."""

    version: int
    wrapped: str | None


@dataclass(frozen=True)
class ShredReport:
    """`found`: whether there was a key. `version`: the destroyed key's version, 0 if there was none."""

    subject: str
    found: bool
    version: int


@dataclass(frozen=True)
class KeyringStatus:
    """Counts: people with a key, people whose key was shredded, keys in this process's memory."""

    service: str
    live: int
    shredded: int
    cached: int


class Keyring:
    """One per service. Keys in clear exist here, and in the unit of work that opens with them."""

    def __init__(self, service: str, vault: Vault, tables: KernelTables, *, cached_max: int = CACHED_MAX) -> None:
        self.service = service
        self._vault = vault
        self._kek = f"kept-{service}"
        self._t = tables.data_keys
        self._cache = KeyCache(cached_max)
        self._prepared = Prepared(vault, self._kek)

    # -- reading --------------------------------------------------------------------------------------------------

    async def wrapped(self, session: AsyncSession, subjects: Iterable[str]) -> dict[str, WrappedKey]:
        """The current key of each who has a row, for reads whose own query does not bring it."""
        return await self._rows(session, subjects, self._current())

    async def unwrap(self, keys: Mapping[str, WrappedKey]) -> dict[str, DataKey | None]:
        """The keys in clear, None where shredded; what is not remembered is asked of Vault in one go. UnavailableError unless
        Vault is there and unsealed, also for what is remembered (P5)."""
        await self._vault.require()
        found = {one: None if w is None else self._cache.get(w) for one, (_, w) in keys.items()}
        missing = [(one, key.version, key.wrapped) for one, key in keys.items() if key.wrapped and found[one] is None]
        secrets = await self._vault.decrypt(self._kek, [one[2] for one in missing]) if missing else []
        for (subject, version, wrapped), secret in zip(missing, secrets, strict=True):
            found[subject] = key = DataKey(version, secret)
            self._cache.put(wrapped, key)
        return found

    async def key(self, session: AsyncSession, subject: str) -> DataKey:
        """One subject's data key. ShreddedError if it was destroyed, InvariantError if there never was one."""
        keys = await self.wrapped(session, [subject])
        if subject not in keys:
            raise InvariantError("the subject has no data key")
        found = (await self.unwrap(keys))[subject]
        if found is None:
            raise ShreddedError()
        return found

    async def status(self, session: AsyncSession) -> KeyringStatus:
        """How many keys there are and were, for `kept keys status`."""
        live, gone = (await session.execute(counted(self._t.c))).one()
        return KeyringStatus(self.service, live, gone, len(self._cache))

    # -- making ---------------------------------------------------------------------------------------------------

    async def create(self, session: AsyncSession, subjects: Sequence[str]) -> dict[str, DataKey]:
        """Make and store a data key for each. ShreddedError for a subject that was shredded before, ConflictError for one that
        has a key."""
        made = await self._made(session, subjects)
        if left := [one for one in subjects if one not in made]:
            there = await self.wrapped(session, left)
            raise ShreddedError() if any(one.wrapped is None for one in there.values()) else ConflictError("there is a key")
        return made

    async def keys(self, session: AsyncSession, subjects: Iterable[str]) -> dict[str, DataKey | None]:
        """A data key for each, made where there is none yet; None where it was shredded. Until the caller's transaction ends,
        none of them is shredded."""
        wanted = set(subjects)
        held = self._current().with_for_update(read=True)
        there = await self._rows(session, wanted, held)
        made = await self._made(session, wanted - there.keys())
        while left := wanted - there.keys() - made.keys():  # somebody else was faster, or renews it: then theirs
            there |= await self._rows(session, left, held)
        return await self.unwrap(there) | made

    async def _made(self, session: AsyncSession, subjects: Iterable[str]) -> dict[str, DataKey]:
        """Those that are ours: where there is a row already, or another makes or shreds it and commits, there is none."""
        made: dict[str, CoveredKey] = {}
        for part in _parts(subjects):
            made |= await self._prepared.stored(session, part)
            if left := [one for one in part if one not in made]:
                made |= await self._prepared.make(session, left)
        for one in made.values():
            self._cache.put(one.cover, one.key)
        return {subject: one.key for subject, one in made.items()}

    async def hold(self, session: AsyncSession, subjects: Iterable[str]) -> set[str]:
        """Until the caller's transaction ends none of them is shredded. Returns those who are already.

        Who has no row gets one that nobody sees, written and taken away in this transaction: whoever shreds them or makes
        them a key meanwhile waits for its end at the unique index, as they would for a row that stays."""
        wanted = set(subjects)
        there: dict[str, WrappedKey] = {}
        while left := wanted - there.keys():
            there |= await self._rows(session, left, self._current().with_for_update(read=True))
            for part in _parts(wanted - there.keys()):
                there |= dict.fromkeys(await self._reserved(session, part), WrappedKey(0, ""))
        return {one for one, key in there.items() if key.wrapped is None}

    async def _reserved(self, session: AsyncSession, subjects: Sequence[str]) -> Sequence[str]:
        one = func.unnest(_array(subjects)).column_valued("subject")
        row = insert(self._t).from_select(["subject", "version", "wrapped"], select(one, literal(0), literal("")))
        got = (await session.scalars(row.on_conflict_do_nothing().returning(self._t.c.subject))).all()
        await session.execute(self._t.delete().where(self._t.c.subject == any_(_array(got)), self._t.c.version == 0))
        return got

    # -- several versions ----------------------------------------------------------------------------------------

    async def renew(self, session: AsyncSession, subject: str) -> DataKey:
        """Another version of the subject's key: what is sealed from now on is sealed with it. The one before stays, for what is
        sealed under it elsewhere (events, the log), until the subject is shredded: that destroys all.

        The current row is locked first: who makes, holds, renews or shreds this person's key meanwhile waits. ShreddedError;
        InvariantError where there is no key."""
        await trips.together(session, [MAKING])  # before anything is wrapped
        while (before := await self._locked(session, subject)) is None:  # who waited for another's renewal finds nothing: again
            if subject not in await self.wrapped(session, [subject]):
                raise InvariantError("the subject has no data key")
        if before.wrapped is None:
            raise ShreddedError()
        key = new_data_key(before.version + 1)
        (cover,) = await self._vault.encrypt(self._kek, [key.secret])
        t = self._t
        mine = t.c.subject == subject, t.c.version == before.version
        await session.execute(update(t).where(*mine).values(current=False))
        await session.execute(insert(t).values(subject=subject, version=key.version, wrapped=cover))
        return key

    async def _locked(self, session: AsyncSession, subject: str) -> WrappedKey | None:
        return (await self._rows(session, [subject], self._current().with_for_update())).get(subject)

    async def versions(self, session: AsyncSession, subject: str) -> dict[int, DataKey]:
        """Every version of a living subject's key, for what was sealed before a renewal. None where they were shredded."""
        t = self._t.c
        query = select(t.version, t.wrapped).where(t.subject == subject, t.wrapped.is_not(None))
        rows = (await session.execute(query)).all()
        keys = await self.unwrap({str(one.version): WrappedKey(one.version, one.wrapped) for one in rows})
        return {key.version: key for key in keys.values() if key is not None}

    # -- shredding ------------------------------------------------------------------------------------------------

    async def shred(self, session: AsyncSession, subject: str, now: datetime) -> ShredReport:
        """Destroy the subject's key, all versions of it, and remember that it is gone: none is ever made again. Idempotent.

        1. Where there is no row, the tombstone; whoever makes a key for this person is waited for. 2. The wrapped keys, until
        none is left: who was waited for may have renewed it. Both in the caller's transaction: a crash leaves both or neither.
        3. This process's memory, for tidiness: nobody would find the key there any more.
        """
        t = self._t
        tombstone = insert(t).values(subject=subject, version=0, created_at=now, shredded_at=now)
        await session.execute(tombstone.on_conflict_do_nothing())  # 1
        whole = select(t.c.version, t.c.wrapped).where(t.c.subject == subject, t.c.wrapped.is_not(None)).with_for_update()
        before = whole.cte("before")
        gone = update(t).values(wrapped=None, shredded_at=now).where(t.c.subject == subject, t.c.version == before.c.version)
        rows: list[Any] = []
        while some := (await session.execute(gone.returning(before.c.version, before.c.wrapped))).all():  # 2
            rows += some
        for row in rows:
            self._cache.forget(row.wrapped)  # 3
        return ShredReport(subject, bool(rows), max((row.version for row in rows), default=0))

    # -- rows -----------------------------------------------------------------------------------------------------

    def _current(self) -> Select[Any]:
        t = self._t.c
        return select(t.subject, t.version, t.wrapped).where(t.current)

    async def _rows(self, session: AsyncSession, subjects: Iterable[str], query: Select[Any]) -> dict[str, WrappedKey]:
        found: dict[str, WrappedKey] = {}
        for part in _parts(subjects):
            with session.no_autoflush:  # who reads a key may be in the middle of making a row
                rows = await session.execute(query.where(self._t.c.subject == any_(_array(part))))
            found |= {subject: WrappedKey(version, key) for subject, version, key in rows.all()}
        return found


async def settled(connection: AsyncConnection, columns: Any, newest: int) -> bool:
    """Whether every living key that stands, or is on its way, is under version `newest` of its KEK, or a newer one.

    1. What is committed is looked at. 2. And again, in a moment in which nobody makes a key: what was on its way is committed,
    or gone. What is made after that moment is wrapped by the newest that Vault has, or is stored beside a key that stands now
    (shared/keys/prepared.py). Who makes keys waits for the second look, and there is one only where the first found nothing."""
    old = select(exists().where(columns.wrapped.is_not(None), columns.kek_version < newest))
    behind = await connection.scalar(old)  # 1
    await connection.rollback()
    if not behind and await connection.scalar(ALONE):
        behind = await connection.scalar(old)  # 2
        await connection.rollback()
        return not behind
    await connection.rollback()
    return False


def counted(columns: Any) -> Select[int, int]:
    """(people with a key, people whose key was shredded)."""
    live = func.count(columns.wrapped)
    return select(live, func.count() - live).where(columns.current)


def wrapped_under(columns: Any) -> Select[int, int]:
    """(version of the KEK, how many keys it wraps), oldest first."""
    version = columns.kek_version
    return select(version, func.count()).where(columns.wrapped.is_not(None)).group_by(version).order_by(version)


def _array(texts: Sequence[str]) -> ColumnElement[Any]:
    """As one parameter, however many: as one each they take longer to say than to look up."""
    return literal(list(texts), ARRAY(Text))


def _parts(subjects: Iterable[str]) -> Iterator[Sequence[str]]:
    """In order: two who make keys for the same people never wait for each other in a circle."""
    ordered = sorted(set(subjects))
    return (ordered[start : start + QUERY_SUBJECTS_MAX] for start in range(0, len(ordered), QUERY_SUBJECTS_MAX))
