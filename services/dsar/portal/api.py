"""The public pages. They never tell whether an address is known; only who proved it reads on."""

import logging
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.dsar.certificates.actions import certificate_of
from services.dsar.packages.actions import deliver, summary_of
from services.dsar.portal.actions import try_code
from services.dsar.portal.model import ADDRESS_CHARS_MAX, CAPABILITY_LIFE, numbers, typed_code
from services.dsar.portal.texts import WORDS
from services.dsar.portal.view import Shown, home, look, shown
from services.dsar.requests import actions
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.actions import asked, asks_of, narrow
from services.dsar.saga.model import silent_holders
from services.dsar.wiring import Wired
from shared.access.actor import Actor
from shared.errors import InvalidInputError, NotFoundError, TooManyError
from shared.http.pages import language_of
from shared.ids import is_id
from shared.keys.locators import locators
from shared.keys.normalise import normalise_email
from shared.work import Work

log = logging.getLogger("kept.dsar.portal")
RequestId = str
Typed = Annotated[str, Form(max_length=1024)]


def person(request_id: str) -> Actor:
    """The person acting on their own request: known by it, and by nothing else yet."""
    return Actor(id=request_id, kind="subject")


def _cookie(request_id: str) -> str:
    return f"kept_{request_id}"


def _checked(request_id: str) -> str:
    if not is_id(request_id, "req"):
        raise NotFoundError
    return request_id


async def _mine(w: Work, http: Request, request_id: str, *, lock: bool = True) -> DataRequest:
    """The request, for the browser that holds its capability; else the same answer as for one that is not there."""
    found = await actions.load(w, _checked(request_id), lock=lock)
    if not actions.holds(found, http.cookies.get(_cookie(request_id))):
        raise NotFoundError
    return found


def _to(request_id: str, say: str = "") -> RedirectResponse:
    return RedirectResponse(f"/requests/{request_id}" + (f"?say={quote(say)}" if say else ""), status_code=303)


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def router(wired: Wired) -> APIRouter:
    """The portal's routes over the wired parts."""
    routes = APIRouter(tags=["portal"])
    door, settings = wired.door, wired.settings

    @routes.get("/", response_class=HTMLResponse)
    async def front(http: Request) -> HTMLResponse:
        return HTMLResponse(home(wired, language_of(http)))

    @routes.post("/", response_class=HTMLResponse)
    async def ask(
        http: Request, right: Annotated[Literal["access", "erasure"], Form()], email: Typed, lang: Typed = ""
    ) -> Response:
        chosen = lang if lang in WORDS else language_of(http)
        try:
            if len(email) > ADDRESS_CHARS_MAX:
                raise InvalidInputError(field="email")
            address = normalise_email(email)
            (locator,) = await locators(wired.vault, [("email", address)])
            request_id = actions.fresh_id()
            async with door.begin(person(request_id)) as w:
                await actions.receive(
                    w,
                    request_id,
                    right=right,
                    address=address,
                    locator=locator,
                    language=chosen,
                    laws=wired.laws,
                    codes_per_hour=settings.codes_per_hour,
                    asks_per_minute=settings.asks_per_minute,
                )
        except InvalidInputError:
            return HTMLResponse(home(wired, chosen, error="email.bad", right=right), status_code=422)
        except TooManyError as error:
            page = HTMLResponse(home(wired, chosen, error="too.many", right=right), status_code=429)
            page.headers["Retry-After"] = str(error.retry_after)
            return page
        return _to(request_id)

    @routes.get("/requests/{request_id}", response_class=HTMLResponse)
    async def page(http: Request, request_id: RequestId, say: str = "") -> Response:
        async with door.begin(person(_checked(request_id))) as w:
            try:
                found: Shown | None = await shown(w, await _mine(w, http, request_id, lock=False), wired)
            except NotFoundError:
                found = None  # same page whether it does not exist, is another's, or waits for its code
        return _private(HTMLResponse(look(wired, request_id, found, language_of(http), say)))

    @routes.post("/requests/{request_id}/code")
    async def code(http: Request, request_id: RequestId, code: Typed) -> Response:
        try:
            digits = typed_code(code)
        except InvalidInputError:
            return _to(_checked(request_id), "code.wrong")
        async with door.begin(person(_checked(request_id))) as w:
            capability = await try_code(w, request_id, digits, wired.course)
        if capability is None:
            return _to(request_id, "code.wrong")
        answer = _to(request_id)
        answer.set_cookie(
            _cookie(request_id),
            capability,
            max_age=int(CAPABILITY_LIFE.total_seconds()),
            path=f"/requests/{request_id}",
            httponly=True,
            samesite="lax",
            secure=settings.public_origin.startswith("https:"),
        )
        return answer

    @routes.post("/requests/{request_id}/code/again")
    async def again(request_id: RequestId) -> Response:
        async with door.begin(person(_checked(request_id))) as w:
            await actions.send_again(w, request_id, settings.codes_per_hour)
        return _to(request_id, "code.sent")

    @routes.post("/requests/{request_id}/person")
    async def person_(http: Request, request_id: RequestId, number: Typed) -> Response:
        """Which of the people who share the address is it? By a number that the others are not expected to know."""
        try:
            said = await locators(wired.vault, numbers(number))
        except InvalidInputError:
            return _to(_checked(request_id), "narrow.wrong")
        async with door.begin(person(_checked(request_id))) as w:
            fits = await narrow(w, await _mine(w, http, request_id), said, wired.course)
        return _to(request_id, "" if fits else "narrow.wrong")

    @routes.post("/requests/{request_id}/package")
    async def package(http: Request, request_id: RequestId, passphrase: Typed = "", recipient: Typed = "") -> Response:
        try:
            async with door.begin(person(_checked(request_id)), purpose="data subject access") as w:
                found = await _mine(w, http, request_id)
                silent, missing = silent_holders(asked(await asks_of(w, request_id)))
                law = wired.book[found.law].name
                summary = summary_of(found, settings.controller, settings.contact, law, missing)
                content, name = await deliver(w, found, summary, silent, phrase=passphrase, recipient=recipient)
        except InvalidInputError:
            return _to(request_id, "recipient.bad")
        head = {"Content-Disposition": f'attachment; filename="{name}"'}
        return _private(Response(content, media_type="application/octet-stream", headers=head))

    @routes.get("/requests/{request_id}/certificate")
    async def certificate(http: Request, request_id: RequestId) -> Response:
        async with door.begin(person(_checked(request_id))) as w:
            await _mine(w, http, request_id, lock=False)
            note = (await certificate_of(w, request_id)).note
        head = {"Content-Disposition": f'attachment; filename="{request_id}.certificate"'}
        return _private(Response(note, media_type="text/plain; charset=utf-8", headers=head))

    @routes.post("/requests/{request_id}/close")
    async def close(http: Request, request_id: RequestId) -> Response:
        async with door.begin(person(_checked(request_id))) as w:
            await _mine(w, http, request_id)
            await actions.close(w, request_id, "done")
        return _to(request_id)

    return routes
