"""The trail over HTTP: search, who looked at a person, receipts; JSON and one page."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from services.audit.index.actions import TRAIL, Filters, search
from services.audit.index.pages import words
from services.audit.receipts import receipt_of
from services.audit.wiring import Wired
from shared.errors import NotAllowedError
from shared.http.app import CurrentActor
from shared.http.pages import language_of
from shared.ids import require_id

PURPOSE = "audit"


def router(wired: Wired) -> APIRouter:
    routes = APIRouter(tags=["audit"])

    @routes.get("/audit", response_class=HTMLResponse)
    async def page(
        http: Request, actor: CurrentActor, subject: str = "", by: str = "", looks: bool = False, cursor: str = ""
    ) -> HTMLResponse:
        lang = language_of(http)
        filters = Filters(subject=subject.strip(), actor=http.query_params.get("actor", by).strip(), looks=looks)
        async with wired.door.begin(actor, PURPOSE) as w:
            found = await search(w, filters, cursor or None)
        asked = {n: v for n, v in (*asdict(filters).items(), ("lang", lang)) if v}
        more = f"/audit?{urlencode({**asked, 'cursor': found.cursor})}" if found.cursor else ""
        text = wired.pages.get_template("trail.html").render(
            w=words(lang), lang=lang, filters=filters, rows=found.rows, more=more, staff=True
        )
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})

    @routes.get("/api/audit/events")
    async def events(
        actor: CurrentActor, subject: str = "", by: str = "", type: str = "", looks: bool = False, cursor: str = ""
    ) -> dict[str, Any]:
        """A page of events, newest first; `cursor` goes on from the last page."""
        async with wired.door.begin(actor, PURPOSE) as w:
            return asdict(await search(w, Filters(subject, by, type, looks), cursor or None))

    @routes.get("/api/audit/subjects/{subject}/looks")
    async def looks_at(actor: CurrentActor, subject: str, cursor: str = "") -> dict[str, Any]:
        """Who looked at this person."""
        async with wired.door.begin(actor, PURPOSE) as w:
            return asdict(await search(w, Filters(subject=require_id(subject, "sub"), looks=True), cursor or None))

    @routes.get("/api/audit/events/{event_id}/proof", response_class=PlainTextResponse)
    async def proof(actor: CurrentActor, event_id: str) -> PlainTextResponse:
        """A c2sp.org/tlog-proof@v1 receipt. 404 until a published checkpoint covers the event."""
        async with wired.door.begin(actor, PURPOSE) as w:
            w.decide("search", TRAIL)
            return PlainTextResponse(await receipt_of(w, wired.blobs, event_id))

    @routes.get("/api/audit/status")
    async def status(actor: CurrentActor) -> dict[str, Any]:
        """Whether every shard is being written, and what stopped one."""
        if actor.kind != "user":
            raise NotAllowedError
        return {"ready": wired.ingest.ready, "faults": wired.ingest.faults}

    return routes
