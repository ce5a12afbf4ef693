"""The account page: what identity holds on the signed-in user."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from services.identity.accounts import actions
from services.identity.pages.show import Show
from shared.access.actor import Actor
from shared.http.app import optional_actor
from shared.work import Door


def router(door: Door, show: Show) -> APIRouter:
    pages = APIRouter(include_in_schema=False)

    @pages.get("/account")
    async def account(request: Request, actor: Annotated[Actor | None, Depends(optional_actor)]) -> Response:
        if actor is None:
            return RedirectResponse("/signin?next=/account", status_code=303)
        async with door.begin(actor, purpose="own_account") as w:
            own = await actions.view_own(w)
        return show(request, "account.html", actor=actor, own=own)

    return pages
