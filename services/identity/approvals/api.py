"""HTTP: ask for two people, agree, refuse, take the grant."""

from datetime import timedelta

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.identity.access.signer import TokenSigner
from services.identity.approvals import actions
from services.identity.approvals.actions import Seen
from shared.access.actor import Actor
from shared.clock import rfc3339
from shared.http.app import CurrentActor
from shared.ids import require_id
from shared.work import Door


class Asked(BaseModel):
    """What one person must not do alone."""

    action: str = Field(max_length=40, examples=["restore"])
    resource: str = Field(max_length=200, examples=["bak_0190c0de0190c0de0190c0de0190c0de"])


class Shown(BaseModel):
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


class Approvals(BaseModel):
    items: list[Shown]


class GrantToken(BaseModel):
    """For one use: send it with the action it was given for."""

    grant: str


def router(door: Door, signer: TokenSigner, *, lifetime: timedelta, usable: timedelta) -> APIRouter:
    api = APIRouter(prefix="/api/identity/approvals", tags=["approvals"])

    async def shown(actor: Actor, approval_id: str) -> Shown:
        async with door.begin(actor) as w:
            return Shown.of(await actions.one(w, approval_id))

    @api.get("")
    async def listed(actor: CurrentActor) -> Approvals:
        async with door.begin(actor) as w:
            return Approvals(items=[Shown.of(seen) for seen in await actions.readable(w)])

    @api.post("", status_code=201)
    async def ask(body: Asked, actor: CurrentActor) -> Shown:
        async with door.begin(actor) as w:
            approval_id = await actions.request(w, body.action, body.resource, lifetime)
        return await shown(actor, approval_id)

    @api.get("/{approval_id}")
    async def one(approval_id: str, actor: CurrentActor) -> Shown:
        return await shown(actor, require_id(approval_id, "apr"))

    @api.post("/{approval_id}/approve")
    async def approve(approval_id: str, actor: CurrentActor) -> Shown:
        async with door.begin(actor) as w:
            await actions.approve(w, require_id(approval_id, "apr"))
        return await shown(actor, approval_id)

    @api.post("/{approval_id}/refuse")
    async def refuse(approval_id: str, actor: CurrentActor) -> Shown:
        async with door.begin(actor) as w:
            await actions.refuse(w, require_id(approval_id, "apr"))
        return await shown(actor, approval_id)

    @api.get("/{approval_id}/grant")
    async def grant(approval_id: str, actor: CurrentActor) -> GrantToken:
        async with door.begin(actor) as w:
            return GrantToken(grant=await actions.grant(w, require_id(approval_id, "apr"), signer, usable))

    return api
