"""Signing in and out. A refusal is a result, not an exception: its count and its event must commit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from services.identity.access.model import team, token_claims
from services.identity.accounts.tables import User
from services.identity.events import SessionEnded, SessionRefused, SessionStarted
from services.identity.factors import actions as factors
from services.identity.sessions.lanes import lanes_of
from services.identity.sessions.model import Tries, failed, forget_after, wait
from services.identity.sessions.tables import FailedTries, Session
from services.identity.wiring import Tools
from shared.keys.devices import new_device
from shared.values.legacy import mailboxes
from shared.work import Work

AMR = ("pwd", "otp")
Reason = Literal["credentials", "code", "replay", "too-many"]


@dataclass(frozen=True)
class Typed:
    """A try: what was typed, where it comes from, and the device's cookie where there is one."""

    email: str
    password: str = field(repr=False)
    code: str = field(repr=False)
    source: str = field(repr=False)
    device: str = field(default="", repr=False)


@dataclass(frozen=True)
class SignedIn:
    """`device`: by which this browser is known from now on."""

    token: str
    user_id: str
    device: str


@dataclass(frozen=True)
class Refused:
    """`retry_after` seconds, 0 if the next try may come at once. The reason is for the event, not for the caller."""

    reason: Reason
    retry_after: int


async def sign_in(w: Work, typed: Typed, tools: Tools) -> SignedIn | Refused:
    """Password and code together, or a refusal that tells nobody which of them was wrong.

    1. The try's own counters are locked (lanes.py): a source's guesses come one after the other, however many arrive at once.
    2. Password, then code; the code's time step is used up only when the password was right.
    3. The token is signed last, still inside the transaction: without Vault nothing has happened.
    """
    forms = mailboxes(typed.email)
    if not forms:  # nobody has such an address: told like a wrong password, and as slowly
        await tools.passwords.fits(None, typed.password)
        w.publish(SessionRefused(subject=None, reason="credentials"))
        return Refused("credentials", 0)
    lanes = await lanes_of(tools.blind, forms[0], typed.source, typed.device, w.now)
    counters = {lane: await _counter(w, lane.key) for lane in lanes.all}
    tries = {lane: Tries(row.failures, row.blocked_until, row.last_at) for lane, row in counters.items()}
    user = await _owner(w, [index for one in forms for index in await tools.blind.every("email", one)])
    if seconds := max(wait(one, w.now) for one in tries.values()):
        w.publish(SessionRefused(subject=user.id if user else None, reason="too-many"))
        return Refused("too-many", seconds)
    reason = await _wrong(w, user, typed.password, typed.code, tools)
    if reason is not None or user is None:
        after = {lane: failed(one, w.now, lane.rule) for lane, one in tries.items()}
        for lane, row in counters.items():
            row.failures, row.blocked_until, row.last_at = after[lane].failures, after[lane].blocked_until, w.now
        w.publish(SessionRefused(subject=user.id if user else None, reason=reason or "credentials"))
        return Refused(reason or "credentials", max(wait(one, w.now) for one in after.values()))
    await w.session.delete(counters[lanes.own])
    return SignedIn(await _start(w, user, tools), user.id, await new_device(tools.blind, forms[0], w.now))


async def _owner(w: Work, indexes: Sequence[bytes]) -> User | None:
    """Whose address it is, in the first form that somebody has, under whichever version of the key."""
    for index in indexes:
        if user := await w.session.scalar(select(User).where(User.email_index == index)):
            return user
    return None


async def _counter(w: Work, index: bytes) -> FailedTries:
    await w.session.execute(insert(FailedTries).values(email_index=index, failures=0, last_at=w.now).on_conflict_do_nothing())
    return (await w.session.scalars(select(FailedTries).where(FailedTries.email_index == index).with_for_update())).one()


async def _wrong(w: Work, user: User | None, password: str, code: str, tools: Tools) -> Reason | None:
    if not await tools.passwords.fits(user.password if user else None, password) or user is None:
        return "credentials"
    said = await factors.check(w, user.id, code)
    return None if said == "right" else "replay" if said == "replay" else "code"


async def _start(w: Work, user: User, tools: Tools) -> str:
    session = Session(id=w.new_id("ses"), user_id=user.id, started_at=w.now, expires_at=w.now + tools.lifetime)
    w.session.add(session)
    lines: Iterable[tuple[str, str | None]] = [
        (one, manager) for one, manager in (await w.session.execute(select(User.id, User.manager))).all()
    ]
    w.publish(SessionStarted(subject=user.id, amr=list(AMR)))
    return await tools.signer.sign(
        token_claims(
            user_id=user.id,
            roles=user.roles,
            members=team(user.id, lines),
            jti=session.id,
            now=w.now,
            until=session.expires_at,
            amr=AMR,
        )
    )


async def end_all(w: Work, user_id: str) -> None:
    """End the user's open sessions, wherever they were begun: every service refuses their tokens from the event on."""
    open_ones = select(Session).where(Session.user_id == user_id, Session.ended_at.is_(None), Session.expires_at > w.now)
    found = (await w.session.scalars(open_ones.with_for_update())).all()
    for session in found:
        session.ended_at = w.now
    if found:
        w.publish(SessionEnded(subject=user_id, sessions=[session.id for session in found]))


async def forget_old(w: Work) -> None:
    """Drop counters and sessions that mean nothing any more."""
    await w.session.execute(delete(FailedTries).where(FailedTries.last_at < w.now - forget_after))
    await w.session.execute(delete(Session).where(Session.expires_at < w.now - timedelta(days=30)))
