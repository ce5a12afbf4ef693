"""HTTP: ask for two people, agree, refuse, take the grant."""

from datetime import timedelta

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.identity.access.signer import TokenSigner
from services.identity.approvals import actions
from services.identity.approvals.actions import Seen
from shared.clock import rfc3339
from shared.http.app import CurrentActor
from shared.http.idempotency import OnlyOnce
from shared.http.paging import Cursor, Limit, Page
from shared.ids import require_id
from shared.once import Impersonal
from shared.paging import PAGE_ROWS
from shared.work import Door


class Asked(BaseModel):
    """What one person must not do alone."""

    action: str = Field(max_length=40, examples=["restore"])
    resource: str = Field(max_length=200, examples=["bak_0190c0de0190c0de0190c0de0190c0de"])


class Shown(Impersonal):
    """One approval."""

    id: str
    action: str
    resource: str
    requester: str
    subject: str | None
    state: str
    approvers: list[str]
    requested: str
    expires: str

    @classmethod
    def of(cls, seen: Seen) -> "Shown":
        row = seen.row
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
            found, after = await actions.listed(w, cursor=cursor, limit=limit)
            return Page(items=[Shown.of(seen) for seen in found], next=after)

    @api.post("", status_code=201)
    async def ask(body: Asked, actor: CurrentActor, once: OnlyOnce) -> Shown:
        """Ask for what one person must not do alone."""
        async with door.begin(actor, once=once) as w:
            return once.answer(Shown.of(await actions.request(w, body.action, body.resource, lifetime)))

    @api.get("/{approval_id}")
    async def one(approval_id: str, actor: CurrentActor) -> Shown:
        async with door.begin(actor) as w:
            return Shown.of(await actions.one(w, require_id(approval_id, "apr")))

    @api.post("/{approval_id}/approve")
    async def approve(approval_id: str, actor: CurrentActor, once: OnlyOnce) -> Shown:
        """Say yes. The second yes, of another person, grants it."""
        async with door.begin(actor, once=once) as w:
            return once.answer(Shown.of(await actions.approve(w, require_id(approval_id, "apr"))))

    @api.post("/{approval_id}/refuse")
    async def refuse(approval_id: str, actor: CurrentActor, once: OnlyOnce) -> Shown:
        """Say no, which ends it."""
        async with door.begin(actor, once=once) as w:
            return once.answer(Shown.of(await actions.refuse(w, require_id(approval_id, "apr"))))

    @api.get("/{approval_id}/grant")
    async def grant(approval_id: str, actor: CurrentActor) -> GrantToken:
        """The proof that two people agreed, for one use by whoever asked."""
        async with door.begin(actor) as w:
            return GrantToken(grant=await actions.grant(w, require_id(approval_id, "apr"), signer, usable))

    return api
