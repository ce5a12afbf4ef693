"""The queue: a mail is put in, counted, listed, tried again. All within the caller's transaction."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from shared.errors import NotFoundError
from shared.gauges import Gauge, Gauges
from shared.locks import Lock
from shared.mail.model import SET_ASIDE, Outcome
from shared.mail.tables import MAILS, MailRow
from shared.work import Work

Counted = Callable[[], Awaitable[Mapping[str, int]]]
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(:space, hashtext(:recipient))")
_SET_ASIDE = MAILS.c.outcome.in_(SET_ASIDE)


def queue(w: Work, kind: str, about: str, *, recipient: str | None = None, facts: Mapping[str, str] | None = None) -> None:
    """A mail leaves if, and only if, this transaction commits. `recipient`: the locator of its mailbox, where mails to one are
    limited; `facts`: ids and the like that the letter needs."""
    row = MailRow(kind=kind, about=about, facts=dict(facts or {}), recipient=recipient, created_at=w.now, next_try_at=w.now)
    w.session.add(row)


async def queued_lately(w: Work, recipient: str, kind: str, within: timedelta) -> int:
    """How many of this kind were queued to one mailbox. Until the transaction ends nobody else counts: two who ask at once must
    not both find room for one more."""
    await w.session.execute(_ONE_AT_A_TIME, {"space": Lock.MAILS, "recipient": recipient})
    lately = select(func.count()).select_from(MAILS)
    lately = lately.where(MAILS.c.recipient == recipient, MAILS.c.kind == kind, MAILS.c.created_at > w.now - within)
    return int(await w.session.scalar(lately) or 0)


async def fate(w: Work, about: str, *, leaving_out: str = "") -> Literal["waiting", "sent", "lost"] | None:
    """What became of the newest mail about this (of another kind than `leaving_out`); None: there is none. Sent: a mail server
    took it; lost: it never left, and will not unless somebody tries it again."""
    query = select(MailRow).where(MailRow.about == about, MailRow.kind != leaving_out)
    mail = await w.session.scalar(query.order_by(MailRow.id.desc()).limit(1))
    if mail is None:
        return None
    return "sent" if mail.left_at is not None else "waiting" if mail.done_at is None else "lost"


async def forget(w: Work, about: str) -> None:
    """Whoever this is about is forgotten: what waits is not sent, and no trace of the mailbox stays."""
    mine = MAILS.c.about == about
    ended = {"done_at": w.now, "outcome": Outcome.NO_ADDRESS}
    await w.session.execute(update(MAILS).where(mine, MAILS.c.done_at.is_(None), MAILS.c.left_at.is_(None)).values(**ended))
    await w.session.execute(update(MAILS).where(mine).values(recipient=None))


async def listed(connection: AsyncConnection) -> list[dict[str, object]]:
    """What is set aside or has failed and waits, the oldest first: what `kept mail list` shows."""
    shown = MAILS.c["id", "kind", "about", "tries", "created_at", "next_try_at", "outcome", "reason"]
    failed = or_(_SET_ASIDE, (MAILS.c.reason.is_not(None)) & (MAILS.c.done_at.is_(None)))
    found = await connection.execute(select(*shown).where(failed).order_by(MAILS.c.id))
    return [dict(row) for row in found.mappings()]


async def retry(connection: AsyncConnection | AsyncSession, now: datetime, mail: int | None = None) -> int:
    """Try one (or all) of those set aside again, as if for the first time. How many; NotFoundError where that one is not."""
    again: dict[str, Any] = {"done_at": None, "outcome": None, "tries": 0, "next_try_at": now}
    which = _SET_ASIDE if mail is None else _SET_ASIDE & (MAILS.c.id == mail)
    count = len((await connection.execute(update(MAILS).where(which).values(**again).returning(MAILS.c.id))).all())
    if mail is not None and not count:
        raise NotFoundError("no such mail is set aside")
    return count


def mail_gauges(service: str, engine: AsyncEngine) -> Gauges:
    """For /metrics: how many wait, since when the oldest does, how many were given up."""
    waiting = MAILS.c.done_at.is_(None)
    oldest = func.coalesce(func.extract("epoch", func.now() - func.min(MAILS.c.created_at).filter(waiting)), 0)
    query = select(func.count().filter(waiting), oldest, func.count().filter(_SET_ASIDE)).select_from(MAILS)
    names = ("kept_mails_waiting", "kept_mails_oldest_seconds", "kept_mails_given_up")

    async def found() -> list[Gauge]:
        async with engine.connect() as connection:
            counts = (await connection.execute(query)).one()
        return [Gauge(name, {"service": service}, int(count)) for name, count in zip(names, counts, strict=True)]

    return found


def and_mails(counted: Counted, engine: AsyncEngine) -> Counted:
    """What the loops could not do, and the mails that were given up: for /readyz and so for `kept status`."""

    async def found() -> dict[str, int]:
        async with engine.connect() as connection:
            mails = await connection.scalar(select(func.count()).select_from(MAILS).where(_SET_ASIDE))
        return {**await counted(), **({"mail": mails} if mails else {})}

    return found
