"""The pages behind the links of the mails: say yes, say no. No sign-in; a link opened does nothing, a button pressed does."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from services.customers.addresses import actions
from services.customers.pages.show import Show
from services.customers.settings import CustomersSettings
from services.customers.wiring import Tools
from shared.access.actor import Actor
from shared.errors import NotFoundError
from shared.ids import is_id
from shared.work import Door

SECRET_CHARS_MAX = 100


def _whoever(change_id: str) -> Actor:
    """Known by the link, and by nothing else."""
    if not is_id(change_id, "chg"):
        raise NotFoundError
    return Actor(id=change_id, kind="subject")


def router(door: Door, tools: Tools, show: Show, settings: CustomersSettings) -> APIRouter:
    pages = APIRouter(include_in_schema=False, prefix="/customers/addresses")

    def page(request: Request, said: str, side: str = "", status: int = 200) -> Response:
        answer = show(request, "address.html", status=status, staff=False, said=said, side=side, settings=settings)
        answer.headers["Referrer-Policy"] = "no-referrer"  # the address of the page is the secret
        return answer

    @pages.get("/{change_id}/{secret}")
    async def asked(request: Request, change_id: str, secret: str) -> Response:
        try:
            async with door.begin(_whoever(change_id)) as w:
                link = await actions.followed(w, change_id, secret[:SECRET_CHARS_MAX])
        except NotFoundError:
            return page(request, "over", status=404)
        return page(request, "", side=link.side)

    @pages.post("/{change_id}/{secret}")
    async def answered(request: Request, change_id: str, secret: str, say: Annotated[Literal["yes", "no"], Form()]) -> Response:
        try:
            async with door.begin(_whoever(change_id)) as w:
                link = await actions.followed(w, change_id, secret[:SECRET_CHARS_MAX])
                if say == "no":
                    await actions.object_(w, tools, link)
                    said = "objected"
                else:
                    proven = await actions.say_yes(w, tools, link, settings.address_wait)
                    said = "proven" if proven else f"yes.said.{link.side}"
        except NotFoundError:
            return page(request, "over", status=404)
        return page(request, said)

    return pages
