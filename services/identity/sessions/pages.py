"""The sign-in page, and signing out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from services.identity.pages.show import Show
from services.identity.sessions import actions
from services.identity.sessions.actions import Refused, Typed
from services.identity.sessions.api import attempt
from services.identity.sessions.model import local_path
from services.identity.wiring import Tools
from shared.errors import InvalidInputError, UnauthenticatedError
from shared.http.app import optional_actor, session_cookie
from shared.http.source import source_of
from shared.keys.devices import DEVICE_LIFE
from shared.work import Door


def router(door: Door, tools: Tools, show: Show, *, secure: bool) -> APIRouter:
    """`secure`: the public origin is https, so the cookie never travels without it."""
    pages, cookie = APIRouter(include_in_schema=False), session_cookie(secure=secure)
    device = "__Host-kept_device" if secure else "kept_device"

    @pages.get("/signin")
    async def form(request: Request, next: str = "", out: bool = False) -> Response:  # the public name
        return show(request, "signin.html", next=local_path(next), said="signedout" if out else "")

    @pages.post("/signin")
    async def sign_in(
        request: Request,
        email: Annotated[str, Form(max_length=254)] = "",
        password: Annotated[str, Form(max_length=256)] = "",
        code: Annotated[str, Form(max_length=16)] = "",
        next: Annotated[str, Form(max_length=500)] = "",  # the public name
    ) -> Response:
        try:
            said = await attempt(door, tools, Typed(email, password, code, source_of(request), request.cookies.get(device, "")))
        except InvalidInputError:  # what is no address is nobody's
            said = Refused("credentials", 0)
        if isinstance(said, Refused):
            status, text = (429, "wait") if said.retry_after else (401, "wrong")
            answer = show(request, "signin.html", status=status, next=local_path(next), said=text, seconds=said.retry_after)
            if said.retry_after:
                answer.headers["Retry-After"] = str(said.retry_after)
            return answer
        welcome = RedirectResponse(local_path(next), status_code=303)
        lifetime = int(tools.lifetime.total_seconds())
        welcome.set_cookie(cookie, said.token, max_age=lifetime, httponly=True, samesite="strict", secure=secure, path="/")
        known = int(DEVICE_LIFE.total_seconds())
        welcome.set_cookie(device, said.device, max_age=known, httponly=True, samesite="strict", secure=secure, path="/")
        return welcome

    @pages.post("/signout")
    async def sign_out(request: Request) -> Response:
        try:
            actor = await optional_actor(request)
        except UnauthenticatedError:  # an expired session: the cookie goes all the same
            actor = None
        if actor is not None:
            async with door.begin(actor) as w:
                await actions.end_all(w, actor.id)
        bye = RedirectResponse("/signin?out=1", status_code=303)
        bye.delete_cookie(cookie, path="/", httponly=True, samesite="strict", secure=secure)
        return bye

    return pages
