"""What can be done with an approval: ask, agree, refuse, take the grant, let it expire."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from services.identity.access.model import grant_claims
from services.identity.access.signer import TokenSigner
from services.identity.approvals.model import Approval, State, after_yes, check_decider, check_request
from services.identity.approvals.tables import ApprovalRow, Voice
from services.identity.events import ApprovalGiven, ApprovalGranted, ApprovalRefused, ApprovalRequested
from shared.access.decide import Resource
from shared.clock import rfc3339
from shared.errors import ConflictError, NotFoundError, RefusedError
from shared.paging import PAGE_ROWS, newest_first
from shared.work import Work


@dataclass(frozen=True)
class Seen:
    """An approval with the people who agreed so far."""

    row: ApprovalRow
    approvers: list[str]


def _resource(row: ApprovalRow) -> Resource:
    attrs = {"action": row.action, "requester": row.requester, "subject": row.subject or ""}
    return Resource("Approval", row.id, attrs)


async def request(w: Work, action: str, resource: str, lifetime: timedelta) -> Seen:
    """Somebody asks for two others. One open approval per action and resource and asker."""
    check_request(action, resource)
    row = _new(w, action, resource, lifetime, None)
    w.decide("request", _resource(row))
    await _open(w, row)
    return Seen(row, [])


async def request_erasure(w: Work, request_id: str, subject: str | None, lifetime: timedelta) -> None:
    """dsar says that a verified person asks to be forgotten. The right to say so is dsar's, on its own topic; who asked
    (`ce_actor`) and the person concerned can't decide. Said twice, the first one stands."""
    check_request("erase", request_id)
    known = select(ApprovalRow.id).where(ApprovalRow.action == "erase", ApprovalRow.resource == request_id)
    if await w.session.scalar(known) is None:
        await _open(w, _new(w, "erase", request_id, lifetime, subject))


def _new(w: Work, action: str, resource: str, lifetime: timedelta, subject: str | None) -> ApprovalRow:
    return ApprovalRow(
        id=w.new_id("apr"),
        action=action,
        resource=resource,
        requester=w.actor.id,
        subject=subject,
        state=State.REQUESTED,
        requested_at=w.now,
        expires_at=w.now + lifetime,
    )


async def _open(w: Work, row: ApprovalRow) -> None:
    await expire(w)  # one that nobody decided in time must not stand in the way
    w.session.add(row)
    try:
        await w.session.flush()
    except IntegrityError:  # approvals_one_open
        raise ConflictError("this is waiting for approval already") from None
    w.publish(
        ApprovalRequested(
            approval_id=row.id,
            action=row.action,
            resource=row.resource,
            subject=row.subject,
            expires=rfc3339(row.expires_at),
        )
    )


async def _load(w: Work, approval_id: str) -> Seen:
    """Locked: two people who agree at the same moment are counted one after the other."""
    row = await w.session.get(ApprovalRow, approval_id, with_for_update=True)
    if row is None:
        raise NotFoundError
    return Seen(row, await _approvers(w, approval_id))


async def _approvers(w: Work, approval_id: str) -> list[str]:
    said_yes = select(Voice.person).where(Voice.approval_id == approval_id, Voice.word == "yes").order_by(Voice.at)
    return list((await w.session.scalars(said_yes)).all())


def _check(w: Work, seen: Seen) -> None:
    w.decide("approve", _resource(seen.row))
    check_decider(_rules(seen), w.actor.id, w.now)


def _rules(seen: Seen) -> Approval:
    row = seen.row
    return Approval(row.requester, row.subject, State(row.state), row.expires_at, tuple(seen.approvers))


def may_decide(w: Work, seen: Seen) -> bool:
    """Whether the actor may say yes or no to this now: what the page shows buttons for."""
    try:
        check_decider(_rules(seen), w.actor.id, w.now)
    except RefusedError:
        return False
    return w.may("approve", _resource(seen.row))


async def approve(w: Work, approval_id: str) -> Seen:
    """One person's yes; the second different person's grants it."""
    seen = await _load(w, approval_id)
    _check(w, seen)
    row, approvers = seen.row, [*seen.approvers, w.actor.id]
    w.session.add(Voice(approval_id=row.id, person=w.actor.id, word="yes", at=w.now))
    about = {"approval_id": row.id, "action": row.action, "resource": row.resource, "subject": row.subject}
    w.publish(ApprovalGiven(**about, approvers=approvers))
    row.state = after_yes(approvers)
    if row.state == State.GRANTED:
        row.decided_at, row.grant_id = w.now, w.new_id("grt")
        w.publish(ApprovalGranted(**about, approvers=approvers))
    return Seen(row, approvers)


async def refuse(w: Work, approval_id: str) -> Seen:
    """One no of somebody who may decide ends it."""
    seen = await _load(w, approval_id)
    _check(w, seen)
    w.session.add(Voice(approval_id=approval_id, person=w.actor.id, word="no", at=w.now))
    _end(w, seen.row, State.REFUSED)
    return seen


def _end(w: Work, row: ApprovalRow, state: State) -> None:
    row.state, row.decided_at = state, w.now
    w.publish(
        ApprovalRefused(
            approval_id=row.id,
            action=row.action,
            resource=row.resource,
            subject=row.subject,
            reason="expired" if state == State.EXPIRED else "refused",
        )
    )


async def expire(w: Work) -> int:
    """End what nobody decided in time."""
    late = select(ApprovalRow).where(ApprovalRow.state == State.REQUESTED, ApprovalRow.expires_at <= w.now)
    rows = (await w.session.scalars(late.with_for_update(skip_locked=True))).all()
    for row in rows:
        _end(w, row, State.EXPIRED)
    return len(rows)


async def grant(w: Work, approval_id: str, signer: TokenSigner, usable: timedelta) -> str:
    """The token for one use of what two people agreed to. Fetched again it is the same grant: same jti."""
    seen = await _load(w, approval_id)
    row = seen.row
    w.decide("take_grant", _resource(row))
    if row.state != State.GRANTED or row.decided_at is None or row.grant_id is None:
        raise ConflictError("not approved by two people")
    until = row.decided_at + usable
    if w.now >= until:
        raise ConflictError("the grant has expired; ask again")
    return await signer.sign(
        grant_claims(
            approval_id=row.id,
            action=row.action,
            resource=row.resource,
            holder=row.requester,
            approvers=seen.approvers,
            jti=row.grant_id,
            now=w.now,
            until=until,
        )
    )


def _visible(w: Work) -> Select[ApprovalRow]:
    """What the actor may see: everything for those who may decide, else what they asked for."""
    query = select(ApprovalRow)
    return query if w.may("view", Resource("ApprovalList", "all", {})) else query.where(ApprovalRow.requester == w.actor.id)


async def listed(w: Work, *, cursor: str = "", limit: int = PAGE_ROWS) -> tuple[list[Seen], str | None]:
    """One page of what the actor may see, newest first, and the cursor of the next."""
    rows, after = await newest_first(w.session, _visible(w), ApprovalRow.id, cursor=cursor, limit=limit)
    said_yes = select(Voice).where(Voice.approval_id.in_([row.id for row in rows]), Voice.word == "yes").order_by(Voice.at)
    approvers: dict[str, list[str]] = {}
    for voice in await w.session.scalars(said_yes):
        approvers.setdefault(voice.approval_id, []).append(voice.person)
    return [Seen(row, approvers.get(row.id, [])) for row in rows], after


async def one(w: Work, approval_id: str) -> Seen:
    """One approval that the actor may see; for anybody else there is none."""
    row = await w.session.scalar(_visible(w).where(ApprovalRow.id == approval_id))
    if row is None:
        raise NotFoundError
    return Seen(row, await _approvers(w, row.id))
