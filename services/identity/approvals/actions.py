"""What can be done with an approval: ask, agree, refuse, take the grant, remind, let it expire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from services.identity.access.model import grant_claims
from services.identity.access.signer import TokenSigner
from services.identity.approvals.model import (
    Action,
    ByServices,
    Ground,
    State,
    after_yes,
    asked_by_a_person,
    asked_by_a_service,
    check_decider,
    check_ground,
    reminds,
)
from services.identity.approvals.read import Seen, concerned, load, resource_of, rules_of
from services.identity.approvals.tables import ApprovalRow, Voice
from services.identity.events import (
    ApprovalGiven,
    ApprovalGranted,
    ApprovalRefused,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalWithdrawn,
)
from shared.access.decide import Resource
from shared.clock import rfc3339
from shared.errors import ConflictError, RefusedError
from shared.work import Work


async def request(w: Work, action: str, resource: str, lifetime: timedelta) -> Seen:
    """Somebody asks for two others. One open approval per action and resource and asker."""
    if action in [one.value for one in ByServices]:
        said = "a service asks for this, once a person outside has asked it"
        raise w.forbidden("request", Resource("Approval", action), said)
    row = _new(w, asked_by_a_person(action, resource), resource, w.actor.id, w.now + lifetime)
    w.decide("request", resource_of(row))
    same = (ApprovalRow.action == row.action, ApprovalRow.resource == row.resource)
    for one in await w.session.scalars(_late(w).where(*same).with_for_update()):
        _end(w, one, State.EXPIRED)  # one that nobody decided in time must not stand in the way
    await w.session.flush()
    await _open(w, row)
    return Seen(row, [])


@dataclass(frozen=True)
class Asked:
    """What a service says of a person outside who asks. `due`: the law's date; `grounds`: why the law lets one refuse; `staff`:
    who does not decide, though it is not about them."""

    resource: str
    subject: str | None
    subjects: Sequence[str]
    due: datetime | None
    grounds: Sequence[Ground]
    staff: Sequence[str] = ()


async def request_by_service(w: Work, action: ByServices, asked: Asked, lifetime: timedelta) -> None:
    """A service asks, on its own topic, for a verified person; said again, it is the same approval, with the newest date.

    Looked at are only approvals that this service asked for, for the same people: nothing that staff asked for answers it, and
    nothing that was agreed to for somebody else. One that ended undecided is opened again."""
    requester = asked_by_a_service(action, asked.resource)
    subjects = sorted({*asked.subjects, *([asked.subject] if asked.subject else [])})
    mine = select(ApprovalRow).where(
        ApprovalRow.action == action, ApprovalRow.resource == asked.resource, ApprovalRow.requester == requester
    )
    due = asked.due or w.now + lifetime
    for row in (await w.session.scalars(mine.with_for_update())).all():
        same = sorted(concerned(row)) == sorted({*subjects, *asked.staff, asked.resource})
        if row.state in (State.GRANTED, State.REFUSED) and same:
            return
        if row.state == State.REQUESTED and same:
            row.expires_at = due if asked.due else row.expires_at
            row.grounds = [one.model_dump() for one in asked.grounds] or row.grounds
            return
        if row.state == State.REQUESTED:
            _withdraw(w, row)
    await w.session.flush()
    row = _new(w, action, asked.resource, requester, due)
    row.subject, row.subjects, row.staff, row.lapses = asked.subject, subjects, sorted({*asked.staff}), False
    row.grounds = [one.model_dump() for one in asked.grounds]
    await _open(w, row)


async def withdraw(w: Work, action: ByServices, resource: str) -> None:
    """The person took it back, or it is over otherwise: nobody has to decide any more."""
    requester = asked_by_a_service(action, resource)
    mine = select(ApprovalRow).where(
        ApprovalRow.action == action,
        ApprovalRow.resource == resource,
        ApprovalRow.requester == requester,
        ApprovalRow.state == State.REQUESTED,
    )
    for row in await w.session.scalars(mine.with_for_update()):
        _withdraw(w, row)


def _withdraw(w: Work, row: ApprovalRow) -> None:
    row.state, row.decided_at = State.WITHDRAWN, w.now
    w.publish(ApprovalWithdrawn(**_about(row)))


def _new(w: Work, action: Action, resource: str, requester: str, until: datetime) -> ApprovalRow:
    return ApprovalRow(
        id=w.new_id("apr"),
        action=action,
        resource=resource,
        requester=requester,
        subject=None,
        subjects=[],
        staff=[],
        state=State.REQUESTED,
        requested_at=w.now,
        expires_at=until,
        lapses=True,
        grounds=[],
        reminders=0,
    )


async def _open(w: Work, row: ApprovalRow) -> None:
    w.session.add(row)
    try:
        await w.session.flush()
    except IntegrityError:  # approvals_one_open
        raise ConflictError("this is waiting for approval already") from None
    w.publish(ApprovalRequested(**_about(row), expires=rfc3339(row.expires_at), lapses=row.lapses))


def _about(row: ApprovalRow) -> dict[str, Any]:
    """What every event of an approval says."""
    return {
        "approval_id": row.id,
        "action": row.action,
        "resource": row.resource,
        "requester": row.requester,
        "subject": row.subject,
        "subjects": list(row.subjects),
    }


def _check(w: Work, seen: Seen) -> None:
    w.decide("approve", resource_of(seen.row))
    check_decider(rules_of(seen), w.actor.id, w.now)


def may_decide(w: Work, seen: Seen) -> bool:
    """Whether the actor may say yes or no to this now: what the page shows buttons for."""
    try:
        check_decider(rules_of(seen), w.actor.id, w.now)
    except RefusedError:
        return False
    return w.may("approve", resource_of(seen.row))


async def approve(w: Work, approval_id: str) -> Seen:
    """One person's yes; the second different person's grants it."""
    seen = await load(w, approval_id)
    _check(w, seen)
    row, approvers = seen.row, [*seen.approvers, w.actor.id]
    w.session.add(Voice(approval_id=row.id, person=w.actor.id, word="yes", at=w.now))
    w.publish(ApprovalGiven(**_about(row), approvers=approvers))
    row.state = after_yes(approvers)
    if row.state == State.GRANTED:
        row.decided_at, row.grant_id = w.now, w.new_id("grt")
        w.publish(ApprovalGranted(**_about(row), approvers=approvers))
    return Seen(row, approvers)


async def refuse(w: Work, approval_id: str, reason: str) -> Seen:
    """One no of somebody who may decide ends it, for one of the reasons that there are for it."""
    seen = await load(w, approval_id)
    _check(w, seen)
    ground = check_ground(seen.grounds, reason)
    w.session.add(Voice(approval_id=approval_id, person=w.actor.id, word="no", at=w.now))
    _end(w, seen.row, State.REFUSED, ground.code)
    return seen


def _end(w: Work, row: ApprovalRow, state: State, ground: str | None = None) -> None:
    row.state, row.decided_at, row.ground = state, w.now, ground
    reason = "expired" if state == State.EXPIRED else "refused"
    w.publish(ApprovalRefused(**_about(row), reason=reason, ground=ground))


def _late(w: Work) -> Select[ApprovalRow]:
    """What nobody decided in time; never what a person outside waits for."""
    return select(ApprovalRow).where(ApprovalRow.state == State.REQUESTED, ApprovalRow.lapses, ApprovalRow.expires_at <= w.now)


async def late(w: Work) -> Sequence[str]:
    """The ids of those."""
    return (await w.session.scalars(_late(w).with_only_columns(ApprovalRow.id))).all()


async def expire(w: Work, approval_id: str) -> None:
    """End one of those."""
    row = await w.session.scalar(_late(w).where(ApprovalRow.id == approval_id).with_for_update(skip_locked=True))
    if row is not None:
        _end(w, row, State.EXPIRED)


async def waiting(w: Work) -> Sequence[str]:
    """What nobody has decided yet, the most urgent first."""
    query = select(ApprovalRow.id).where(ApprovalRow.state == State.REQUESTED).order_by(ApprovalRow.expires_at)
    return (await w.session.scalars(query)).all()


async def remind(w: Work, approval_id: str, every: timedelta) -> Seen | None:
    """Say that it still waits, if it is time to; more urgently as its date comes and passes. None where it is not."""
    seen = await load(w, approval_id)
    row, level = seen.row, seen.level(w.now)
    since = row.reminded_at or row.requested_at
    if row.state != State.REQUESTED or not reminds(level, last=row.reminder, since=since, now=w.now, every=every):
        return None
    row.reminded_at, row.reminder, row.reminders = w.now, level, row.reminders + 1
    due = rfc3339(row.expires_at)
    w.publish(ApprovalReminded(**_about(row), level=level, due=due, approvers=seen.approvers, reminders=row.reminders))
    return seen


async def grant(w: Work, approval_id: str, signer: TokenSigner, usable: timedelta) -> str:
    """The token for one use of what two people agreed to. Fetched again it is the same grant: same jti."""
    seen = await load(w, approval_id)
    row = seen.row
    w.decide("take_grant", resource_of(row))
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
