"""HTTP: ask for two people, agree, refuse, take the grant."""

from datetime import timedelta

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.identity.access.signer import TokenSigner
from services.identity.approvals import actions, read
from services.identity.approvals.model import State
from services.identity.approvals.read import Seen
from shared.clock import rfc3339
from shared.http.app import CurrentActor
from shared.http.idempotency import OnlyOnce
from shared.http.paging import Cursor, Limit, Page
from shared.ids import require_id
from shared.once import Impersonal
from shared.paging import PAGE_ROWS
from shared.work import Door


class Asked(BaseModel):
    """What one person must not do alone: export, unmask, restore, change_policy. Only dsar asks for an erasure."""

    action: str = Field(max_length=40, examples=["restore"])
    resource: str = Field(max_length=200, examples=["bak_0190c0de0190c0de0190c0de0190c0de"])


class Refusal(BaseModel):
    """Why it is a no: the code of one of the approval's `grounds`. The person who asked is told it in words."""

    reason: str = Field(max_length=60, examples=["gdpr-17-3-b"])


class GroundShown(Impersonal):
    """A reason that a no may have."""

    code: str
    article: str
    en: str
    zh: str


class Shown(Impersonal):
    """One approval. `lapses`: it ends undecided at `expires`; else that is the law's date, and it waits on (`overdue`).

    `grounds`: the reasons that a no may have, while it waits; `ground`: the one it had."""

    id: str
    action: str
    resource: str
    requester: str
    subject: str | None
    state: str
    approvers: list[str]
    requested: str
    expires: str
    lapses: bool
    reminder: str | None
    reminders: int
    ground: str | None
    grounds: list[GroundShown]

    @classmethod
    def of(cls, seen: Seen) -> "Shown":
        row = seen.row
        grounds = seen.grounds if row.state == State.REQUESTED else ()
        return cls(
            id=row.id,
            action=row.action,
            resource=row.resource,
            requester=row.requester,
            subject=row.subject,
            state=row.state,
            approvers=seen.approvers,
            requested=rfc3339(row.requested_at),
            expires=rfc3339(row.expires_at),
            lapses=row.lapses,
            reminder=row.reminder,
            reminders=row.reminders,
            ground=row.ground,
            grounds=[GroundShown(**one.model_dump()) for one in grounds],
        )


class GrantToken(BaseModel):
    """For one use: send it with the action it was given for."""

    grant: str


def router(door: Door, signer: TokenSigner, *, lifetime: timedelta, usable: timedelta) -> APIRouter:
    api = APIRouter(prefix="/api/identity/approvals", tags=["approvals"])

    @api.get("")
    async def listed(actor: CurrentActor, cursor: Cursor = "", limit: Limit = PAGE_ROWS) -> Page[Shown]:
        """What waits for two people, and what they decided: all for those who may decide, else what you asked for."""
        async with door.begin(actor) as w:
            found, after = await read.listed(w, cursor=cursor, limit=limit)
            return Page(items=[Shown.of(seen) for seen in found], next=after)

    @api.post("", status_code=201)
    async def ask(body: Asked, actor: CurrentActor, once: OnlyOnce) -> Shown:
        """Ask for what one person must not do alone."""
        async with door.begin(actor, once=once) as w:
            return once.answer(Shown.of(await actions.request(w, body.action, body.resource, lifetime)))

    @api.get("/{approval_id}")
    async def one(approval_id: str, actor: CurrentActor) -> Shown:
        async with door.begin(actor) as w:
            return Shown.of(await read.one(w, require_id(approval_id, "apr")))

    @api.post("/{approval_id}/approve")
    async def approve(approval_id: str, actor: CurrentActor, once: OnlyOnce) -> Shown:
        """Say yes. The second yes, of another person, grants it."""
        async with door.begin(actor, once=once) as w:
            return once.answer(Shown.of(await actions.approve(w, require_id(approval_id, "apr"))))

    @api.post("/{approval_id}/refuse")
    async def refuse(approval_id: str, actor: CurrentActor, once: OnlyOnce, body: Refusal | None = None) -> Shown:
        """Say no, which ends it. A no needs a reason, one of the approval's `grounds`: without, it is a 422."""
        async with door.begin(actor, once=once) as w:
            reason = body.reason if body is not None else ""
            return once.answer(Shown.of(await actions.refuse(w, require_id(approval_id, "apr"), reason)))

    @api.get("/{approval_id}/grant")
    async def grant(approval_id: str, actor: CurrentActor) -> GrantToken:
        """The proof that two people agreed, for one use by whoever asked."""
        async with door.begin(actor) as w:
            return GrantToken(grant=await actions.grant(w, require_id(approval_id, "apr"), signer, usable))

    return api
