"""The unit of work: the one door through which anything changes.

Nobody else commits, reads the wall clock, or writes to the outbox. One `begin` is one database transaction: the change
and its events commit together or not at all (P4).
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NoReturn, Protocol

from sqlalchemy import column, table
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import InstrumentedAttribute

from shared import telemetry
from shared.access.actor import Actor
from shared.access.decide import Decision, Policies, Resource
from shared.access.refused import AccessRefused, named
from shared.bus import outbox
from shared.bus.envelope import to_record
from shared.bus.event import Event
from shared.clock import Clock
from shared.errors import ConflictError, NotAllowedError, NotFoundError, UnavailableError
from shared.ids import is_id, new_event_id, new_id
from shared.keys.cipher import Sealed
from shared.keys.keyring import Keyring
from shared.once import Once

log = logging.getLogger("kept.door")
Sessions = async_sessionmaker[AsyncSession]

_INBOX = table("inbox", column("ce_id"))
_TURN = sql("SELECT pg_advisory_xact_lock(:space, hashtext(:what))")
_TURN_SPACE = 4_722  # beside that of shared/once.py
_TURN_WAIT = sql("SET LOCAL lock_timeout = '60s'")
_NO_WAIT = sql("SET LOCAL lock_timeout = DEFAULT")
_SPENT = table("spent_grants", column("jti"), column("spent_at"))


class Spendable(Protocol):
    """A grant, as far as spending it goes."""

    @property
    def jti(self) -> str: ...


class Work:
    """What an action gets: who, why, when, the session, and the verbs that belong to one transaction."""

    def __init__(
        self,
        *,
        service: str,
        actor: Actor,
        purpose: str | None,
        session: AsyncSession,
        clock: Clock,
        policies: Policies,
        keyring: Keyring,
    ) -> None:
        self.service = service
        self.actor = actor
        self.purpose = purpose
        self.session = session
        self.clock = clock
        self.now: datetime = clock.now()
        self.keyring = keyring
        self.policy_ids: list[str] = []
        self._policies = policies
        self._outbox: list[outbox.Row] = []
        self._refused: list[outbox.Row] = []

    def new_id(self, prefix: str) -> str:
        """A fresh id."""
        return new_id(prefix)

    def publish(self, event: Event) -> str:
        """Add `event` to this transaction's outbox; returns its ce_id. TooLargeError over outbox.EVENT_BYTES_MAX."""
        row = self._row(event)
        self._outbox.append(row)
        return row.ce_id

    def _row(self, event: Event) -> outbox.Row:
        ce_id = new_event_id()
        return outbox.row(ce_id, to_record(event, self.actor, self.now, ce_id, telemetry.inject()))

    def decide(self, action: str, resource: Resource, *, subject: str | None = None, **context: object) -> Decision:
        """NotAllowedError unless a policy permits; `policy_ids` remembers which one, for the event that tells of it.

        `subject`: whom it is about, where `resource` is not that person; a refusal names them."""
        decision = self._decision(action, resource, context)
        if not decision.allowed:
            self._refuse(action, resource, subject, decision.policy_ids)
            raise NotAllowedError
        self.policy_ids += [one for one in decision.policy_ids if one not in self.policy_ids]
        return decision

    def may(self, action: str, resource: Resource, **context: object) -> bool:
        """Whether a policy permits: to show or leave out a button, or a part of a list. A no is not an attempt."""
        return self._decision(action, resource, context).allowed

    def unknown(self, action: str, resource: Resource) -> NotFoundError:
        """The answer where the actor may not know of a thing, or there is none: both alike, and both told (P7)."""
        self._refuse(action, resource, None, ())
        return NotFoundError()

    def forbidden(self, action: str, resource: Resource, detail: str) -> NotAllowedError:
        """The answer where a rule beyond the policies says no; told like theirs."""
        self._refuse(action, resource, None, ())
        return NotAllowedError(detail)

    def _decision(self, action: str, resource: Resource, context: dict[str, object]) -> Decision:
        if self.purpose is not None:
            context.setdefault("purpose", self.purpose)
        return self._policies.decide(self.actor, action, resource, context)

    def _refuse(self, action: str, resource: Resource, subject: str | None, policies: Sequence[str]) -> None:
        event = AccessRefused.of(self.service)(
            subject=subject or (resource.id if is_id(resource.id, "sub") else None),
            action=action,
            resource=named(resource.type, resource.id),
            purpose=self.purpose,
            policies=list(policies),
        )
        self._refused.append(self._row(event))

    async def in_turn(self, what: str) -> None:
        """Until this transaction ends no other of the service does `what`: of two at once, the second sees what the first did.

        UnavailableError after a minute of waiting."""
        await self.session.execute(_TURN_WAIT)
        try:
            await self.session.execute(_TURN, {"what": what, "space": _TURN_SPACE})
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

    async def seal(self, column: InstrumentedAttribute[Any], subject: str, value: str) -> Sealed:
        """Encrypt `value` for `column` of `subject`."""
        return await self.keyring.seal(self.session, column, subject, value)

    async def open(self, column: InstrumentedAttribute[Any], subject: str, sealed: Sealed) -> str:
        """Decrypt: a visible act, so that the call site shows whose field is read."""
        return await self.keyring.open(self.session, column, subject, sealed)

    @property
    def events(self) -> Sequence[outbox.Row]:
        """What this transaction will publish, in order."""
        return tuple(self._outbox)

    @property
    def refusals(self) -> Sequence[outbox.Row]:
        """What is told if this transaction is refused, in a transaction of its own."""
        return tuple(self._refused)


class Door:
    """Opens units of work for one service."""

    def __init__(self, service: str, sessions: Sessions, clock: Clock, policies: Policies, keyring: Keyring) -> None:
        self.service = service
        self.clock = clock
        self.keyring = keyring
        self._sessions = sessions
        self._policies = policies

    @asynccontextmanager
    async def begin(
        self, actor: Actor, purpose: str | None = None, traceparent: str | None = None, once: Once | None = None
    ) -> AsyncIterator[Work]:
        """One transaction: commits at the end with its events, rolls back on any error.

        `traceparent` continues a trace that came from elsewhere (the bus); else the current one goes on. `once`: the
        request that it serves, which is done once however often it comes (shared/once.py).
        """
        with telemetry.span(f"{self.service} transaction", parent=traceparent, attributes={"db.system.name": "postgresql"}):
            work: Work | None = None
            try:
                async with self._sessions() as session:
                    work = Work(
                        service=self.service,
                        actor=actor,
                        purpose=purpose,
                        session=session,
                        clock=self.clock,
                        policies=self._policies,
                        keyring=self.keyring,
                    )
                    if once is not None:
                        await once.claim(session, work.now)
                    yield work
                    if once is not None:
                        await once.keep(session)
                    await session.flush()  # row locks before the outbox's locks: those are held for the shortest time
                    await outbox.flush(session, work.events)
                    await session.commit()
            except (DBAPIError, PoolTimeoutError) as why:
                raise _translated(why) from None  # the driver's text may quote a row
            except (NotAllowedError, NotFoundError):
                if work is not None and work.refusals:
                    await self._tell(work.refusals)
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
                await outbox.flush(session, refusals)
                await session.commit()
        except (DBAPIError, PoolTimeoutError) as why:
            raise _translated(why) from None

    @asynccontextmanager
    async def inbox(self, actor: Actor, ce_id: str, traceparent: str | None = None) -> AsyncIterator[Work | None]:
        """As `begin`, once per event: None when this ce_id was handled already. Two at once: the second waits."""
        async with self.begin(actor, traceparent=traceparent) as work:
            mark = insert(_INBOX).values(ce_id=ce_id).on_conflict_do_nothing().returning(_INBOX.c.ce_id)
            first = (await work.session.execute(mark)).first() is not None
            yield work if first else None


def _translated(error: DBAPIError | PoolTimeoutError) -> Exception:
    """Database errors as ours: away, full, busy or deadlocked is worth another try; a broken constraint is a conflict.

    The names of constraints and of the driver's classes go to the log: they are of use there, and mean nothing to who asked."""
    if isinstance(error, PoolTimeoutError):
        return UnavailableError("the database has no connection free")
    if isinstance(error, IntegrityError):
        diagnostics = getattr(error.orig, "diag", None)
        log.warning("constraint %s", getattr(diagnostics, "constraint_name", None) or "unknown")
        return ConflictError("somebody else did or changed the same at this moment; look how it is now, and try again")
    if error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError)):
        log.warning("database: %s", type(error.orig).__name__)
        return UnavailableError("the database is away")
    return error
