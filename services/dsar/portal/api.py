"""The public pages. They never tell whether an address is known; only who proved it reads on."""

import logging
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.dsar.certificates.actions import certificate_of
from services.dsar.packages.actions import Contents, delivered, has_package
from services.dsar.packages.queue import Lock, PackageQueue
from services.dsar.portal.actions import try_code
from services.dsar.portal.download import contents_of
from services.dsar.portal.limits import Limits
from services.dsar.portal.model import CAPABILITY_LIFE, numbers, typed_code
from services.dsar.portal.texts import WORDS
from services.dsar.portal.view import Shown, home, look, shown
from services.dsar.requests import actions, capabilities
from services.dsar.requests.model import AFTER, BEFORE
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.actions import go_on, narrow
from services.dsar.saga.claims import NARROW_TRIES_MAX, may_claim
from services.dsar.saga.model import Fit
from services.dsar.wiring import Tools
from shared.access.actor import Actor
from shared.errors import ConflictError, InvalidInputError, NotFoundError, TooManyError
from shared.http.forms import once_for, reached
from shared.http.pages import language_of
from shared.http.source import source_of
from shared.ids import is_id
from shared.keys.devices import DEVICE_LIFE
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


def router(tools: Tools, limits: Limits) -> APIRouter:
    """The portal's routes."""
    routes = APIRouter(tags=["portal"])
    door, settings = tools.door, tools.settings
    queue, secure = PackageQueue(), settings.public_origin.startswith("https:")
    known = "__Host-kept_mailbox" if secure else "kept_mailbox"

    def _device(http: Request) -> str:
        return http.cookies.get(known, "")

    @routes.get("/", response_class=HTMLResponse)
    async def front(http: Request) -> HTMLResponse:
        return HTMLResponse(home(tools, language_of(http)))

    @routes.post("/", response_class=HTMLResponse)
    async def ask(
        http: Request, right: Annotated[Literal["access", "erasure"], Form()], email: Typed, lang: Typed = "", place: Typed = ""
    ) -> Response:
        chosen = lang if lang in WORDS else language_of(http)
        try:
            address = mailbox(email)
            version = await tools.locators.newest()
            (locators,) = await tools.locators.of([("email", address)])
            request_id = actions.fresh_id()
            once = await once_for(http, "portal")  # nobody is known yet; the mark is enough to tell a second click
            async with door.begin(person(request_id), once=once) as w:
                source, device = source_of(http), _device(http)
                await limits.ask(w, source, locators, device)
                await actions.receive(
                    w,
                    request_id,
                    right=right,
                    address=address,
                    locators=locators,
                    locator_version=version,
                    language=chosen,
                    place=place if place in tools.jurisdiction.places() else "",
                    jurisdiction=tools.jurisdiction,
                    send_code=await limits.code(w, source, locators, device),
                )
                return reached(once, f"/requests/{request_id}")
        except InvalidInputError:
            return HTMLResponse(home(tools, chosen, error="email.bad", right=right), status_code=422)
        except TooManyError as error:
            page = HTMLResponse(home(tools, chosen, error="too.many", right=right), status_code=429)
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
            secure=secure,
        )
        return _private(answer)

    @routes.get("/requests/{request_id}", response_class=HTMLResponse)
    async def page(http: Request, request_id: RequestId, say: str = "") -> Response:
        language = language_of(http)
        async with door.begin(person(_checked(request_id))) as w:
            try:
                mine = await _mine(w, http, request_id, lock=False)
                found: Shown | None = await shown(w, mine, tools, limits, language, _secret(http, request_id))
            except NotFoundError:
                found = None  # same page whether it does not exist, is another's, or waits for its code
        return _private(HTMLResponse(look(tools, request_id, found, language, say)))

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
            proven = await try_code(w, request_id, digits, tools.course, limits, source_of(http))
        if proven is None:
            return _to(request_id, "code.wrong")
        answer, life = _let_in(_to(request_id), request_id, proven.secret), int(DEVICE_LIFE.total_seconds())
        answer.set_cookie(known, proven.device, max_age=life, path="/", httponly=True, samesite="strict", secure=secure)
        return answer

    @routes.post("/requests/{request_id}/code/again")
    async def again(http: Request, request_id: RequestId) -> Response:
        """The living code once more, or a fresh one, to the same mailbox. Says nothing of the mailbox's limits."""
        once, source, device = await once_for(http, _checked(request_id)), source_of(http), _device(http)
        try:
            async with door.begin(person(request_id), once=once) as w:
                mailbox_ = await actions.mailbox_of(w, request_id)
                await limits.ask(w, source, mailbox_, device)
                if mailbox_ and await limits.code(w, source, mailbox_, device):
                    actions.queue_mail(w, request_id, "code", mailbox_[0])
                return reached(once, f"/requests/{request_id}?say=code.sent")
        except TooManyError as error:
            page = HTMLResponse(look(tools, request_id, None, language_of(http), "too.many"), status_code=429)
            page.headers["Retry-After"] = str(error.retry_after)
            return page

    @routes.post("/requests/{request_id}/person")
    async def person_(http: Request, request_id: RequestId, number: Typed) -> Response:
        """Which of the records that share the address are this person's? By a number that stands on one of them alone."""
        try:
            said = [one for every in await tools.locators.of(numbers(number)) for one in every]
        except InvalidInputError:
            return _to(_checked(request_id), "narrow.wrong")
        async with door.begin(person(_checked(request_id))) as w:
            mine = await _mine(w, http, request_id)
            if not may_claim(mine):
                return _to(request_id)  # a second click: the page shows what was reached
            before, locator = len(mine.subjects), mine.locator or ""
            if mine.narrow_tries >= NARROW_TRIES_MAX or not await limits.guess(w, locator):
                return _to(request_id, "narrow.over")
            fit = await narrow(w, mine, said, number.strip(), tools.course)
            if fit is not Fit.NONE:
                await limits.right(w, locator)
            added = len(mine.subjects) > before
        return _to(request_id, {Fit.ONE: "narrow.added" if added else "narrow.again", Fit.SEVERAL: "narrow.shared"}.get(
            fit, "narrow.wrong"
        ))  # fmt: skip

    @routes.post("/requests/{request_id}/person/done")
    async def person_done(http: Request, request_id: RequestId) -> Response:
        """The person goes on with the records that they have named."""
        async with door.begin(person(_checked(request_id))) as w:
            await go_on(w, await _mine(w, http, request_id), tools.course)
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
        # Read in one transaction, packed and locked in none, handed over in another, which looks again.
        async def contents() -> Contents:
            async with door.begin(person(request_id)) as w:
                return await contents_of(w, await actions.load(w, request_id, lock=False), tools)

        async with door.begin(person(_checked(request_id))) as w:
            if not has_package(await _mine(w, http, request_id, lock=False)):
                return _to(request_id)  # closed meanwhile: the page says so
        try:
            made = await queue.make(request_id, source_of(http), Lock(passphrase, recipient), contents)
        except InvalidInputError:
            return _to(request_id, "recipient.bad")
        except ConflictError:
            return _to(request_id)
        except TooManyError as error:
            return await _busy(http, request_id, error.retry_after)
        async with door.begin(person(request_id), purpose="data subject access") as w:
            mine = await _mine(w, http, request_id)
            if not has_package(mine):
                return _to(request_id)
            name = delivered(w, mine, made)
        head = {"Content-Disposition": f'attachment; filename="{name}"'}
        return _private(Response(made.content, media_type="application/octet-stream", headers=head))

    async def _busy(http: Request, request_id: str, retry_after: int) -> Response:
        language = language_of(http)
        async with door.begin(person(request_id)) as w:
            mine = await _mine(w, http, request_id, lock=False)
            found = await shown(w, mine, tools, limits, language, _secret(http, request_id))
        page = HTMLResponse(look(tools, request_id, found, language, "package.busy"), status_code=429)
        page.headers["Retry-After"] = str(retry_after)
        return _private(page)

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
                await actions.close_answered(w, request_id)
            elif mine.state in BEFORE:
                await actions.close(w, request_id, "withdrawn")
        return _to(request_id)

    return routes
