"""The approvals page: what waits, the most urgent first, and two buttons for those who may decide; a no takes a reason."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from services.identity.approvals import actions, read
from services.identity.approvals.model import State
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
            waiting, (newest, _) = await read.open_ones(w), await read.listed(w)
            seen = [*waiting, *(one for one in newest if one.row.state != State.REQUESTED)]
            allowed = {one.row.id for one in waiting if actions.may_decide(w, one)}
            levels = {one.row.id: one.level(w.now) for one in waiting}
            days = {one.row.id: (w.now - one.row.requested_at).days for one in waiting}
        return show(request, "approvals.html", actor=actor, approvals=seen, allowed=allowed, levels=levels, days=days)

    @pages.post("/{approval_id}/{word}")
    async def decide(
        approval_id: str,
        word: Literal["approve", "refuse"],
        actor: CurrentActor,
        once: FormOnce,
        reason: Annotated[str, Form(max_length=60)] = "",
    ) -> Response:
        async with door.begin(actor, once=once) as w:
            if word == "approve":
                await actions.approve(w, require_id(approval_id, "apr"))
            else:
                await actions.refuse(w, require_id(approval_id, "apr"), reason)
            return reached(once, "/approvals")

    return pages
