"""The account page: what identity holds on the signed-in user."""

from fastapi import APIRouter, Request, Response

from services.identity.accounts import actions
from services.identity.pages.show import Show
from shared.http.app import CurrentActor
from shared.work import Door


def router(door: Door, show: Show) -> APIRouter:
    pages = APIRouter(include_in_schema=False)

    @pages.get("/account")
    async def account(request: Request, actor: CurrentActor) -> Response:
        async with door.begin(actor, purpose="own_account") as w:
            own = await actions.view_own(w)
        return show(request, "account.html", actor=actor, own=own)

    return pages
