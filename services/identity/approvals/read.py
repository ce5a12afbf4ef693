"""Approvals as they are looked at: with who agreed so far, locked to decide on, or as a list of what the actor may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from services.identity.approvals.model import GROUNDS, Approval, Ground, Level, State, level_of
from services.identity.approvals.tables import ApprovalRow, Voice
from shared.access.decide import Resource
from shared.errors import NotFoundError
from shared.paging import PAGE_ROWS, newest_first
from shared.work import Work


@dataclass(frozen=True)
class Seen:
    """An approval with the people who agreed so far."""

    row: ApprovalRow
    approvers: list[str]

    @property
    def grounds(self) -> tuple[Ground, ...]:
        """The reasons that a no may have: the law's where a person outside asks, else ours."""
        if self.row.lapses:
            return GROUNDS
        return tuple(Ground.model_validate(one) for one in self.row.grounds)

    def level(self, now: datetime) -> Level:
        return level_of(self.row.requested_at, self.row.expires_at, now)


def resource_of(row: ApprovalRow) -> Resource:
    return Resource("Approval", row.id, {"action": row.action, "requester": row.requester, "subjects": concerned(row)})


def concerned(row: ApprovalRow) -> list[str]:
    """Whose data it is about, and who else does not decide. Where the resource itself is a person, that one too."""
    return sorted({*row.subjects, *row.staff, *([row.subject] if row.subject else []), row.resource})


async def load(w: Work, approval_id: str) -> Seen:
    """Locked: two people who agree at the same moment are counted one after the other."""
    row = await w.session.get(ApprovalRow, approval_id, with_for_update=True)
    if row is None:
        raise NotFoundError
    return Seen(row, await approvers_of(w, approval_id))


async def approvers_of(w: Work, approval_id: str) -> list[str]:
    said_yes = select(Voice.person).where(Voice.approval_id == approval_id, Voice.word == "yes").order_by(Voice.at)
    return list((await w.session.scalars(said_yes)).all())


def rules_of(seen: Seen) -> Approval:
    row = seen.row
    about = frozenset(concerned(row))
    return Approval(row.requester, about, State(row.state), row.expires_at, tuple(seen.approvers), row.lapses)


def _visible(w: Work) -> Select[ApprovalRow]:
    """What the actor may see: everything for those who may decide, else what they asked for."""
    query = select(ApprovalRow)
    return query if w.may("view", Resource("ApprovalList", "all", {})) else query.where(ApprovalRow.requester == w.actor.id)


async def listed(w: Work, *, cursor: str = "", limit: int = PAGE_ROWS) -> tuple[list[Seen], str | None]:
    """One page of what the actor may see, newest first, and the cursor of the next."""
    rows, after = await newest_first(w.session, _visible(w), ApprovalRow.id, cursor=cursor, limit=limit)
    return await _with_approvers(w, rows), after


async def open_ones(w: Work, limit: int = PAGE_ROWS) -> list[Seen]:
    """What waits, of what the actor may see, the nearest date first: nothing urgent hides behind what came later."""
    query = _visible(w).where(ApprovalRow.state == State.REQUESTED).order_by(ApprovalRow.expires_at).limit(limit)
    return await _with_approvers(w, (await w.session.scalars(query)).all())


async def _with_approvers(w: Work, rows: Sequence[ApprovalRow]) -> list[Seen]:
    said_yes = select(Voice).where(Voice.approval_id.in_([row.id for row in rows]), Voice.word == "yes").order_by(Voice.at)
    approvers: dict[str, list[str]] = {}
    for voice in await w.session.scalars(said_yes):
        approvers.setdefault(voice.approval_id, []).append(voice.person)
    return [Seen(row, approvers.get(row.id, [])) for row in rows]


async def one(w: Work, approval_id: str) -> Seen:
    """One approval that the actor may see; for anybody else there is none."""
    row = await w.session.scalar(_visible(w).where(ApprovalRow.id == approval_id))
    if row is None:
        raise NotFoundError
    return Seen(row, await approvers_of(w, row.id))
