"""Alarms over HTTP and as a page: what happened, what to do, and that somebody has seen to it."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from services.audit.index import acknowledge
from services.audit.index.actions import PAGE, PAGE_MAX, PURPOSE, TRAIL
from services.audit.index.alarms import Alarm, reasons_in
from services.audit.trail.pages import link, words
from services.audit.wiring import Tools
from shared.access.actor import Actor
from shared.errors import ConflictError
from shared.gauges import Gauge
from shared.http.app import CurrentActor
from shared.http.forms import FormOnce, reached
from shared.http.pages import language_of
from shared.http.paging import Page

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
EventId = Annotated[str, Field(max_length=64)]


class Said(BaseModel):
    """Why the alarm is put aside. `reference`: a ticket; there is no room for more, since it stands in an event in clear."""

    reason: str = Field(max_length=20, examples=["repaired"])
    reference: str = Field(default="", max_length=20, examples=["OPS-1234"])


def router(tools: Tools) -> APIRouter:
    routes = APIRouter(tags=["audit"])

    @routes.get("/api/audit/alarms")
    async def alarms(
        http: Request,
        actor: CurrentActor,
        everything: Annotated[bool, Query(alias="all", description="those too that were acknowledged")] = False,
        cursor: str = "",
        limit: Limit = PAGE,
    ) -> Page[Alarm]:
        """Alarms of the log that nobody has acknowledged, newest first: what happened, and what to do."""
        async with tools.door.begin(actor, PURPOSE) as w:
            return await acknowledge.listed(w, language_of(http), everything=everything, cursor=cursor, limit=limit)

    @routes.post("/api/audit/alarms/{alarm}/acknowledge")
    async def seen_to(http: Request, actor: CurrentActor, alarm: str, said: Said) -> Alarm:
        """Say that you have seen to it, and why it can be put aside. An event tells of it; 409 where somebody has already."""
        async with tools.door.begin(actor, PURPOSE) as w:
            return await acknowledge.acknowledge(w, alarm[:64], said.reason, said.reference.strip(), language_of(http))

    return routes


def page(tools: Tools) -> APIRouter:
    """The page for people."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/audit/alarms", response_class=HTMLResponse)
    async def alarms(http: Request, actor: CurrentActor, cursor: str = "") -> HTMLResponse:
        lang = language_of(http)
        everything = http.query_params.get("all") == "true"
        async with tools.door.begin(actor, PURPOSE) as w:
            found = await acknowledge.listed(w, lang, everything=everything, cursor=cursor)
            may = w.may("acknowledge", TRAIL)
        more = link("/audit/alarms", all="true" if everything else "", lang=lang, cursor=found.next) if found.next else ""
        text = tools.pages.get_template("alarms.html").render(
            w=words(lang), lang=lang, staff=True, alarms=found.items, reasons=reasons_in(lang), may=may, more=more,
            everything=everything,
        )  # fmt: skip
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})

    @routes.post("/audit/alarms/{alarm}")
    async def seen_to(
        actor: CurrentActor,
        alarm: str,
        once: FormOnce,
        reason: Annotated[str, Form(max_length=20)] = "",
        reference: Annotated[str, Form(max_length=20)] = "",
    ) -> Response:
        try:
            async with tools.door.begin(actor, PURPOSE, once=once) as w:
                await acknowledge.acknowledge(w, alarm[:64], reason, reference.strip())
                return reached(once, "/audit/alarms")
        except ConflictError:
            pass  # a second click, or a colleague was first: what was wanted is so
        return RedirectResponse("/audit/alarms", status_code=303)

    return routes


async def gauges(tools: Tools) -> list[Gauge]:
    """`kept_audit_alarms_open`: what somebody has to look at."""
    async with tools.door.begin(Actor.system("audit")) as w:
        return [Gauge("kept_audit_alarms_open", {}, await acknowledge.open_count(w))]
