"""The unit of work: the one door through which anything changes.

Nobody else commits, reads the wall clock, or writes to the outbox. One `begin` is one database transaction: the change
and its events commit together or not at all (P4).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn, Protocol

import psycopg
from sqlalchemy import Table, column, table
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import InstrumentedAttribute

from shared import storing, telemetry, trips
from shared.access.actor import Actor
from shared.access.decide import Policies, Resource
from shared.asking import Asked, Asking
from shared.bus import outbox
from shared.bus.event import Event
from shared.clock import Clock
from shared.db import translated
from shared.direct import Direct
from shared.errors import ConflictError, NotAllowedError, NotFoundError, UnavailableError
from shared.ids import new_id
from shared.keys.cipher import Sealed
from shared.keys.keyring import Keyring, ShredReport, WrappedKey
from shared.keys.unlocked import Unlocked
from shared.locks import Lock
from shared.look import Look
from shared.once import Once
from shared.trips import Statement

Sessions = async_sessionmaker[AsyncSession]

_INBOX = table("inbox", column("ce_id"))
_TURN = sql("SELECT pg_advisory_xact_lock(:space, hashtext(:what))")
_TURN_WAIT = sql("SET LOCAL lock_timeout = '60s'")
_NO_WAIT = sql("SET LOCAL lock_timeout = DEFAULT")
_POSTGRESQL = {"db.system.name": "postgresql"}
ROWS_AT_LAST_MAX = 20  # more of a table than these go by COPY
_SPENT = table("spent_grants", column("jti"), column("spent_at"))


class Spendable(Protocol):
    """A grant, as far as spending it goes."""

    @property
    def jti(self) -> str: ...


class Work(Asking):
    """What an action gets: who, why, when, the session, and the verbs that belong to one transaction."""

    def __init__(self, asked: Asked, session: AsyncSession, keyring: Keyring) -> None:
        super().__init__(asked)
        self.session = session
        self.keyring = keyring
        self._unlocked = Unlocked(keyring)
        self._outbox: list[outbox.Row] = []
        self._last: list[Statement] = []

    def new_id(self, prefix: str) -> str:
        """A fresh id."""
        return new_id(prefix)

    def publish(self, event: Event) -> str:
        """Add `event` to this transaction's outbox; returns its ce_id. TooLargeError over outbox.EVENT_BYTES_MAX."""
        row = self._row(event)
        self._outbox.append(row)
        return row.ce_id

    async def ask(self, *statements: Statement) -> list[list[trips.Row]]:
        """What these give, in one round trip."""
        return await trips.together(self.session, statements)

    async def store(self, *tables: tuple[Table, Sequence[Mapping[str, Any]]]) -> None:
        """New rows, of each table all with the same columns: a few are sent with the commit and its events, many now. In this
        order, in either way: later ones may refer to earlier ones."""
        if max(len(rows) for _, rows in tables) > ROWS_AT_LAST_MAX:
            for table, rows in tables:
                await storing.copied(self.session, table, rows)
        else:
            for table, rows in tables:
                self._last += storing.insertion(table, rows)

    def finally_(self, *statements: Statement) -> None:
        """These are sent with the commit, in this order, and nobody reads what they give."""
        self._last += statements

    async def tell_first(self, events: Sequence[Event]) -> None:
        """Write these into the outbox now: of each person whom nobody else can know before this commits, the first event. None
        can come before it, so it takes no lock; a transaction about a hundred thousand people need not remember them all."""
        await outbox.copied(self.session, [self._row(one) for one in events])

    async def in_turn(self, what: str) -> None:
        """Until this transaction ends no other of the service does `what`: of two at once, the second sees what the first did.

        UnavailableError after a minute of waiting."""
        await self.session.execute(_TURN_WAIT)
        try:
            await self.session.execute(_TURN, {"what": what, "space": Lock.TURN})
        except OperationalError as error:
            if error.connection_invalidated:
                raise
            raise UnavailableError("another of these is under way; come again when it is done", retry_after=30) from None
        await self.session.execute(_NO_WAIT)

    async def spend(self, grant: Spendable) -> None:
        """Use up a single-use grant in this transaction. ConflictError the second time."""
        done = insert(_SPENT).values(jti=grant.jti, spent_at=self.now).on_conflict_do_nothing().returning(_SPENT.c.jti)
        if (await self.session.execute(done)).first() is None:
            raise ConflictError("this approval was used already")

    async def unlock(self, *subjects: str, wrapped: Mapping[str, WrappedKey] | None = None) -> None:
        """Have the data keys of these people at hand: `wrapped` came with their rows, those of `subjects` are read. What this
        process does not remember is asked of Vault in one go. UnavailableError unless Vault is there and unsealed (P5)."""
        if wrapped is not None:
            await self._unlocked.unlock(wrapped)
        if subjects:
            await self._unlocked.unlock_of(self.session, subjects)

    async def create_keys(self, subjects: Sequence[str]) -> None:
        """A data key for each of these new people, unlocked. ShreddedError, ConflictError: `Keyring.create`."""
        await self._unlocked.create(self.session, subjects)

    async def renew_key(self, subject: str) -> int:
        """Another version of the subject's data key, which seals from now on; what the ones before sealed opens, too, in this
        unit of work. Whoever calls this seals anew what is stored. Its number. ShreddedError, InvariantError."""
        return await self._unlocked.renew(self.session, subject)

    async def unlock_versions(self, subject: str) -> None:
        """Besides the key at hand every older version: for what was sealed before a renewal and stands elsewhere."""
        await self._unlocked.unlock_versions(self.session, subject)

    def lock(self, *subjects: str) -> None:
        """Nothing more is done with these people in this transaction: their keys are let go of, and what was opened of them."""
        self._unlocked.release(subjects)

    def seal(self, column: InstrumentedAttribute[Any], subject: str, value: str) -> Sealed:
        """Encrypt `value` for `column` of `subject`, who is unlocked."""
        return self._unlocked.seal(column, subject, value)

    def open(self, column: InstrumentedAttribute[Any], subject: str, sealed: Sealed) -> str:
        """Decrypt: a visible act, so that the call site shows whose field is read. ShreddedError, TamperError; InvariantError
        where the subject is not unlocked."""
        return self._unlocked.open(column, subject, sealed)

    async def shred(self, subject: str) -> ShredReport:
        """Destroy the subject's data key, here and for good."""
        report = await self.keyring.shred(self.session, subject, self.now)
        self._unlocked.lock(subject)
        return report

    @property
    def last(self) -> Sequence[Statement]:
        """What is sent with the commit, before the events."""
        return tuple(self._last)

    @property
    def events(self) -> Sequence[outbox.Row]:
        """What this transaction will publish, in order."""
        return tuple(self._outbox)


class Door:
    """Opens units of work for one service."""

    def __init__(self, service: str, sessions: Sessions, clock: Clock, policies: Policies, keyring: Keyring) -> None:
        self.service = service
        self.clock = clock
        self.keyring = keyring
        self.wake = asyncio.Event()  # set after each commit with events: the relay of this process waits for it
        self._sessions = sessions
        self._policies = policies
        self._engine: AsyncEngine = sessions.kw["bind"]
        self._direct = Direct(self._engine.url)

    async def close(self) -> None:
        """When nothing goes through it any more: the database's connections."""
        await self._direct.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def begin(
        self, actor: Actor, purpose: str | None = None, traceparent: str | None = None, once: Once | None = None
    ) -> AsyncIterator[Work]:
        """One transaction: commits at the end with its events, rolls back on any error.

        `traceparent` continues a trace that came from elsewhere (the bus); else the current one goes on. `once`: the
        request that it serves, which is done once however often it comes (shared/once.py).
        """
        with telemetry.span(f"{self.service} transaction", parent=traceparent, attributes=_POSTGRESQL):
            session = self._sessions()
            work = Work(self._asked(actor, purpose), session, self.keyring)
            async with self._telling(work), session:
                if once is not None:
                    await once.claim(session, work.now)
                yield work
                if session.new or session.dirty or session.deleted:
                    await session.flush()
                # Row locks before the outbox's locks: those are held for the shortest time.
                await trips.close(session, [*work.last, *(once.kept() if once else ()), *outbox.statements(work.events)])
            if work.events:
                self.wake.set()

    @asynccontextmanager
    async def look(self, actor: Actor, purpose: str | None = None) -> AsyncIterator[Look]:
        """For an action that only reads, and tells of it in the same statement (shared/look.py). No transaction is open."""
        with telemetry.span(f"{self.service} look", attributes=_POSTGRESQL):
            look = Look(self._asked(actor, purpose), self._direct, self.wake, self.keyring)
            async with self._telling(look):
                yield look

    def _asked(self, actor: Actor, purpose: str | None) -> Asked:
        return Asked(self.service, actor, purpose, self.clock, self._policies)

    @asynccontextmanager
    async def _telling(self, asking: Asking) -> AsyncIterator[None]:
        """Around an attempt: of its refusals is told, the database's errors become ours."""
        try:
            yield
        except (DBAPIError, PoolTimeoutError, psycopg.Error) as why:
            raise translated(why) from None  # the driver's text may quote a row
        except (NotAllowedError, NotFoundError):
            if asking.refusals:
                await self._tell(asking.refusals)
            raise

    async def refuse(self, actor: Actor, action: str, resource: Resource, detail: str) -> NoReturn:
        """Where an attempt fails before any work begins: NotAllowedError, told like every other."""
        async with self.begin(actor) as work:
            raise work.forbidden(action, resource, detail)

    async def _tell(self, refusals: Sequence[outbox.Row]) -> None:
        """What was refused took nothing with it but its own event. An attempt that cannot be told of is answered as a part
        that is away, like every other: UnavailableError."""
        try:
            async with self._sessions() as session:
                await trips.close(session, outbox.statements(refusals))
            self.wake.set()
        except (DBAPIError, PoolTimeoutError, psycopg.Error) as why:
            raise translated(why) from None

    @asynccontextmanager
    async def inbox(self, actor: Actor, ce_id: str, traceparent: str | None = None) -> AsyncIterator[Work | None]:
        """As `begin`, once per event: None when this ce_id was handled already. Two at once: the second waits."""
        async with self.begin(actor, traceparent=traceparent) as work:
            mark = insert(_INBOX).values(ce_id=ce_id).on_conflict_do_nothing().returning(_INBOX.c.ce_id)
            first = (await work.session.execute(mark)).first() is not None
            yield work if first else None
