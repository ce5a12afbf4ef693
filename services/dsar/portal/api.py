"""The public pages. They never tell whether an address is known; only who proved it reads on."""

import logging
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.dsar.certificates.actions import certificate_of
from services.dsar.packages.actions import deliver, summary_of
from services.dsar.portal.actions import try_code
from services.dsar.portal.coverage import coverage_of
from services.dsar.portal.model import CAPABILITY_LIFE, numbers, typed_code
from services.dsar.portal.texts import WORDS
from services.dsar.portal.view import Shown, home, look, shown
from services.dsar.requests import actions, capabilities
from services.dsar.requests.model import AFTER, BEFORE, State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.actions import asked, asks_of, go_on, narrow
from services.dsar.saga.claims import may_claim
from services.dsar.saga.model import Fit, silent_holders
from services.dsar.wiring import Wired
from shared.access.actor import Actor
from shared.errors import InvalidInputError, NotFoundError, TooManyError
from shared.http.forms import once_for, reached
from shared.http.pages import language_of
from shared.ids import is_id
from shared.keys.locators import locators
from shared.values.mailbox import mailbox
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
    if not await capabilities.holds(w, request_id, _secret(http, request_id)):
        raise NotFoundError
    return found


def _secret(http: Request, request_id: str) -> str | None:
    return http.cookies.get(_cookie(request_id))


def _to(request_id: str, say: str = "") -> RedirectResponse:
    return RedirectResponse(f"/requests/{request_id}" + (f"?say={quote(say)}" if say else ""), status_code=303)


def _private(response: Response) -> Response:
    """Neither kept by a cache nor told to the next page: a link of a mail is a secret."""
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
        http: Request, right: Annotated[Literal["access", "erasure"], Form()], email: Typed, lang: Typed = "", place: Typed = ""
    ) -> Response:
        chosen = lang if lang in WORDS else language_of(http)
        try:
            address = mailbox(email)
            (locator,) = await locators(wired.vault, [("email", address)])
            request_id = actions.fresh_id()
            once = await once_for(http, "portal")  # nobody is known yet; the mark is enough to tell a second click
            async with door.begin(person(request_id), once=once) as w:
                await actions.receive(
                    w,
                    request_id,
                    right=right,
                    address=address,
                    locator=locator,
                    language=chosen,
                    place=place if place in wired.jurisdiction.places() else "",
                    jurisdiction=wired.jurisdiction,
                    codes_per_hour=settings.codes_per_hour,
                    asks_per_minute=settings.asks_per_minute,
                )
                return reached(once, f"/requests/{request_id}")
        except InvalidInputError:
            return HTMLResponse(home(wired, chosen, error="email.bad", right=right), status_code=422)
        except TooManyError as error:
            page = HTMLResponse(home(wired, chosen, error="too.many", right=right), status_code=429)
            page.headers["Retry-After"] = str(error.retry_after)
            return page

    def _let_in(answer: Response, request_id: str, secret: str) -> Response:
        """This browser sees the request from now on; others go on seeing it."""
        answer.set_cookie(
            _cookie(request_id),
            secret,
            max_age=int(CAPABILITY_LIFE.total_seconds()),
            path=f"/requests/{request_id}",
            httponly=True,
            samesite="lax",
            secure=settings.public_origin.startswith("https:"),
        )
        return _private(answer)

    @routes.get("/requests/{request_id}", response_class=HTMLResponse)
    async def page(http: Request, request_id: RequestId, say: str = "") -> Response:
        language = language_of(http)
        async with door.begin(person(_checked(request_id))) as w:
            try:
                mine = await _mine(w, http, request_id, lock=False)
                found: Shown | None = await shown(w, mine, wired, language, _secret(http, request_id))
            except NotFoundError:
                found = None  # same page whether it does not exist, is another's, or waits for its code
        return _private(HTMLResponse(look(wired, request_id, found, language, say)))

    @routes.get("/requests/{request_id}/open/{secret}")
    async def open_(request_id: RequestId, secret: str) -> Response:
        """A mail's link, on whatever device: the secret leaves the address bar at once, and nothing changes here, so that a
        mail scanner that follows it does no harm."""
        async with door.begin(person(_checked(request_id))) as w:
            opens = await capabilities.holds(w, request_id, secret)
        return _let_in(_to(request_id), request_id, secret) if opens else _private(_to(request_id, "link.old"))

    @routes.post("/requests/{request_id}/code")
    async def code(http: Request, request_id: RequestId, code: Typed) -> Response:
        try:
            digits = typed_code(code)
        except InvalidInputError:
            return _to(_checked(request_id), "code.wrong")
        async with door.begin(person(_checked(request_id))) as w:
            if await capabilities.holds(w, request_id, _secret(http, request_id)):
                return _to(request_id)  # a second click on what succeeded
            secret = await try_code(w, request_id, digits, wired.course)
        return _to(request_id, "code.wrong") if secret is None else _let_in(_to(request_id), request_id, secret)

    @routes.post("/requests/{request_id}/code/again")
    async def again(http: Request, request_id: RequestId) -> Response:
        once = await once_for(http, _checked(request_id))
        async with door.begin(person(request_id), once=once) as w:
            await actions.send_again(w, request_id, settings.codes_per_hour)
            return reached(once, f"/requests/{request_id}?say=code.sent")

    @routes.post("/requests/{request_id}/person")
    async def person_(http: Request, request_id: RequestId, number: Typed) -> Response:
        """Which of the records that share the address are this person's? By a number that stands on one of them alone."""
        try:
            said = await locators(wired.vault, numbers(number))
        except InvalidInputError:
            return _to(_checked(request_id), "narrow.wrong")
        async with door.begin(person(_checked(request_id))) as w:
            mine = await _mine(w, http, request_id)
            if not may_claim(mine):
                return _to(request_id)  # a second click: the page shows what was reached
            before = len(mine.subjects)
            fit = await narrow(w, mine, said, number.strip(), wired.course)
            added = len(mine.subjects) > before
        return _to(request_id, {Fit.ONE: "narrow.added" if added else "narrow.again", Fit.SEVERAL: "narrow.shared"}.get(
            fit, "narrow.wrong"
        ))  # fmt: skip

    @routes.post("/requests/{request_id}/person/done")
    async def person_done(http: Request, request_id: RequestId) -> Response:
        """The person goes on with the records that they have named."""
        async with door.begin(person(_checked(request_id))) as w:
            await go_on(w, await _mine(w, http, request_id), wired.course)
        return _to(request_id)

    @routes.post("/requests/{request_id}/revoke")
    async def revoke(http: Request, request_id: RequestId) -> Response:
        """Every other browser and every mail's link ends here."""
        async with door.begin(person(_checked(request_id))) as w:
            await _mine(w, http, request_id)
            await capabilities.revoke_others(w, request_id, _secret(http, request_id))
        return _to(request_id, "revoked")

    @routes.post("/requests/{request_id}/package")
    async def package(http: Request, request_id: RequestId, passphrase: Typed = "", recipient: Typed = "") -> Response:
        try:
            async with door.begin(person(_checked(request_id)), purpose="data subject access") as w:
                found = await _mine(w, http, request_id)
                if found.state not in (State.ANSWERED, State.DELIVERED):
                    return _to(request_id)  # closed meanwhile: the page says so
                silent, missing = silent_holders(asked(await asks_of(w, request_id)))
                law = wired.book.of(found.law, found.received_at).called(found.language)
                covers = await coverage_of(w, found, found.language)
                summary = summary_of(found, settings.controller, settings.contact, law, missing, covers.lines(found.language))
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
        """After the answer, or to take it back before anything is done. Too late, or a second time: the page says what is."""
        async with door.begin(person(_checked(request_id))) as w:
            mine = await _mine(w, http, request_id)
            if mine.state in AFTER:
                await actions.close(w, request_id, "done")
            elif mine.state in BEFORE:
                await actions.close(w, request_id, "withdrawn")
        return _to(request_id)

    return routes
