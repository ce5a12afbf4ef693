"""The staff desk: which requests there are, until when, what is missing; and the law's extension."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from services.dsar.desk.texts import words
from services.dsar.desk.view import DESK, Row, listed, records, rows
from services.dsar.requests import actions
from services.dsar.requests.model import Evidence
from services.dsar.saga.claims import support
from services.dsar.wiring import Tools
from shared.http.app import CurrentActor
from shared.http.forms import FormOnce, reached
from shared.http.pages import language_of
from shared.http.paging import Cursor, Limit, Page
from shared.paging import PAGE_ROWS

PURPOSE = "data subject requests"


def router(tools: Tools) -> APIRouter:
    routes = APIRouter(tags=["desk"])

    @routes.get("/desk", response_class=HTMLResponse)
    async def desk(actor: CurrentActor, http: Request) -> HTMLResponse:
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            found = await rows(w, tools.book)
        lang = language_of(http)
        page = tools.pages.get_template("desk.html").render(
            rows=found, book=tools.book, w=partial(words, lang), lang=lang, staff=True
        )
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    @routes.post("/desk/{request_id}/extend")
    async def extend(actor: CurrentActor, request_id: str, reason: Annotated[str, Form()], once: FormOnce) -> RedirectResponse:
        async with tools.door.begin(actor, purpose=PURPOSE, once=once) as w:
            w.decide("extend", DESK)
            await actions.extend(w, request_id, reason)
            return reached(once, "/desk")

    @routes.get("/desk/{request_id}", response_class=HTMLResponse)
    async def one(actor: CurrentActor, http: Request, request_id: str) -> HTMLResponse:
        """The records that share an address, for the two people who decide which are the person's."""
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("decide", DESK)
            request = await actions.load(w, request_id, lock=False)
            found, until = await records(w, request), None
            if request.unclear and request.verified_at is not None:
                until = (request.verified_at + timedelta(days=tools.settings.keep_answer_days)).date()
        lang = language_of(http)
        page = tools.pages.get_template("records.html").render(
            request_id=request_id, records=found, until=until, evidence=get_args(Evidence), w=partial(words, lang), lang=lang,
            staff=True
        )  # fmt: skip
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    @routes.post("/desk/{request_id}/records/{subject}")
    async def decide(
        actor: CurrentActor, request_id: str, subject: str, evidence: Annotated[Evidence, Form()], once: FormOnce
    ) -> RedirectResponse:
        async with tools.door.begin(actor, purpose=PURPOSE, once=once) as w:
            w.decide("decide", DESK)
            await support(w, await actions.load(w, request_id), subject, evidence)
            return reached(once, f"/desk/{request_id}")

    @routes.get("/api/dsar/requests")
    async def requests(actor: CurrentActor, cursor: Cursor = "", limit: Limit = PAGE_ROWS) -> Page[Row]:
        """Requests with their deadlines, newest first; no personal data."""
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            found, after = await listed(w, tools.book, cursor=cursor, limit=limit)
            return Page(items=found, next=after)

    @routes.get("/api/dsar/laws")
    async def laws() -> dict[str, Any]:
        """The law's clocks as they are kept, with article, source and date of review. Public."""
        return {"laws": [law.model_dump(mode="json") for law in tools.book.values()]}

    @routes.get("/api/dsar/keys", response_class=PlainTextResponse)
    async def keys() -> str:
        """Public keys of every holder's notes, one vkey per line. Compare them with what you got on another way."""
        found = [line for holder in tools.settings.holders for line in await tools.course.keys.of(holder)]
        return "".join(f"{line}\n" for line in found)

    return routes
