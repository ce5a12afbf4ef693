"""The approvals page: what waits, and two buttons for those who may decide."""

from typing import Literal

from fastapi import APIRouter, Request, Response

from services.identity.approvals import actions
from services.identity.pages.show import Show
from shared.http.app import CurrentActor
from shared.http.forms import FormOnce, reached
from shared.ids import require_id
from shared.work import Door


def router(door: Door, show: Show) -> APIRouter:
    pages = APIRouter(include_in_schema=False, prefix="/approvals")

    @pages.get("")
    async def listed(request: Request, actor: CurrentActor) -> Response:
        async with door.begin(actor) as w:
            seen, _ = await actions.listed(w)
            allowed = {one.row.id for one in seen if actions.may_decide(w, one)}
        return show(request, "approvals.html", actor=actor, approvals=seen, allowed=allowed)

    @pages.post("/{approval_id}/{word}")
    async def decide(approval_id: str, word: Literal["approve", "refuse"], actor: CurrentActor, once: FormOnce) -> Response:
        async with door.begin(actor, once=once) as w:
            if word == "approve":
                await actions.approve(w, require_id(approval_id, "apr"))
            else:
                await actions.refuse(w, require_id(approval_id, "apr"))
            return reached(once, "/approvals")

    return pages
