"""The trail over HTTP: search, who looked at a person, what an actor saw, one entry, receipts; JSON and one page."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from services.audit.index import acknowledge, actions, opening
from services.audit.index.actions import PAGE, PAGE_MAX, PURPOSE, TRAIL
from services.audit.index.model import Filters, Row, filters_of
from services.audit.index.receipts import receipt_of
from services.audit.trail.pages import link, scrubbed, shown, words
from services.audit.wiring import Tools
from shared.errors import InvalidInputError, UnavailableError
from shared.http.app import CurrentActor
from shared.http.pages import language_of
from shared.http.paging import Page

LEDGER = "kept.audit.ledger.recorded.v1"
ROWS_SHOWN, ALARMS_SHOWN = 20, 5  # on the page: a phone is small
FILTERS = ("subject", "actor", "type", "purpose", "trace", "from", "to", "looks")
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
_SAID = {
    "subject": "about whom: a pseudonym, sub_…",
    "actor": "by whom: sub_…, or a service such as system:customers",
    "type": "the event's type, or its beginning and a *",
    "purpose": "for what purpose",
    "trace": "the trace it belongs to, 32 hex digits",
    "from": "not before: 2026-01-31 or 2026-01-31T12:00:00Z",
    "to": "before; a date alone means that day whole",
    "looks": "true: only readings of personal data",
}
ASKED: dict[str, Any] = {
    "parameters": [
        {"name": n, "in": "query", "required": False, "description": said, "schema": {"type": "string"}}
        for n, said in _SAID.items()
    ]
}


def asked(request: Request) -> Filters:
    """The filters of a request."""
    return filters_of({name: request.query_params.get(name, "") for name in FILTERS})


def router(tools: Tools) -> APIRouter:
    routes = APIRouter(tags=["audit"])

    @routes.get("/api/audit/events", openapi_extra=ASKED)
    async def events(http: Request, actor: CurrentActor, cursor: str = "", limit: Limit = PAGE) -> Page[Row]:
        """A page of events, newest first; `cursor` goes on from the last page."""
        filters = asked(http)
        async with tools.door.begin(actor, PURPOSE) as w:
            return await actions.search(w, filters, cursor or None, limit)

    @routes.get("/api/audit/subjects/{subject}/looks", openapi_extra=ASKED)
    async def looks_at(http: Request, actor: CurrentActor, subject: str, cursor: str = "", limit: Limit = PAGE) -> Page[Row]:
        """Who looked at this person: every reading of their personal data, newest first."""
        filters = filters_of({**_given(http), "subject": subject, "looks": "true"})
        async with tools.door.begin(actor, PURPOSE) as w:
            return await actions.search(w, filters, cursor or None, limit)

    @routes.get("/api/audit/actors/{who}/looks", openapi_extra=ASKED)
    async def looks_by(http: Request, actor: CurrentActor, who: str, cursor: str = "", limit: Limit = PAGE) -> Page[Row]:
        """What this actor saw: every reading of personal data by them, newest first."""
        filters = filters_of({**_given(http), "actor": who, "looks": "true"})
        async with tools.door.begin(actor, PURPOSE) as w:
            return await actions.search(w, filters, cursor or None, limit)

    @routes.get("/api/audit/events/{event_id}")
    async def entry(actor: CurrentActor, event_id: str, opened: bool = False) -> dict[str, Any]:
        """The whole entry of an event, as the log has it; `opened`: what is sealed in it too, for the few who may."""
        async with tools.door.begin(actor, PURPOSE) as w:
            return await opening.entry_of(w, tools.blobs, event_id, opened=opened)

    @routes.get("/api/audit/events/{event_id}/proof", response_class=PlainTextResponse)
    async def proof(actor: CurrentActor, event_id: str) -> PlainTextResponse:
        """A c2sp.org/tlog-proof@v1 receipt. 404 until a published checkpoint covers the event."""
        async with tools.door.begin(actor, PURPOSE) as w:
            decision = w.decide("search", TRAIL)
            text = await receipt_of(w, tools.blobs, event_id)
            actions.seen(w, "proof", Filters(), 1, decision.policy_ids)
        return PlainTextResponse(text)

    @routes.get("/api/audit/status")
    async def status(actor: CurrentActor) -> dict[str, Any]:
        """Whether every shard is being written and indexed, and what stopped one."""
        async with tools.door.begin(actor, PURPOSE) as w:
            w.decide("status", TRAIL)
        said = tools.ingest.said
        return {
            "ready": said.ready,
            "faults": said.faults,
            "scrub": await tools.scrubbing.status(),
            "witnesses": said.witnesses,
            "unwitnessed": said.unwitnessed,
            "index": {"behind": {s: n for s, n in tools.follower.behind.items() if n}, "faults": tools.follower.faults},
        }

    return routes


def page(tools: Tools) -> APIRouter:
    """The page for people."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/audit", response_class=HTMLResponse)
    async def trail(http: Request, actor: CurrentActor, cursor: str = "") -> HTMLResponse:
        lang = language_of(http)
        given = {n: v.strip() for n, v in _given(http).items() if v.strip()}
        wrong, filters = "", Filters()
        try:
            filters = filters_of(given)
        except InvalidInputError as error:
            wrong = error.field
        async with tools.door.begin(actor, PURPOSE) as w:
            w.decide("search", TRAIL)
            alarms = (await acknowledge.listed(w, lang, limit=ALARMS_SHOWN)).items
            ledger = await actions.newest(w, LEDGER, 1)
            found = Page[Row](items=[], next=None) if wrong else await actions.search(w, filters, cursor or None, ROWS_SHOWN)
        text = tools.pages.get_template("trail.html").render(
            w=words(lang), lang=lang, given=given, wrong=wrong, link=link, staff=True, progress=await _progress(tools, lang),
            scrubbed=scrubbed(await tools.scrubbing.status(), lang), alarms=alarms,
            ledger=shown(ledger[0], lang).when if ledger else "",
            rows=[shown(one, lang) for one in found.items],
            more=link("/audit", **given, lang=lang, cursor=found.next) if found.next else "",
        )  # fmt: skip
        return HTMLResponse(text, status_code=422 if wrong else 200, headers={"Cache-Control": "no-store"})

    return routes


async def _progress(tools: Tools, lang: str) -> str:
    """How far the log and the index are, in a sentence."""
    said = words(lang)
    try:
        report = await tools.reconciler.recent()
    except UnavailableError:
        return str(said.unknown)
    behind, index = (sum(getattr(line, name) for line in report.lines) for name in ("behind", "index_behind"))
    sentence: str = said.behind if behind or index else said.in_step
    published, alone = sum(line.published for line in report.lines), sum(tools.ingest.said.unwitnessed.values())
    told = sentence.format(n=f"{published:,}", behind=f"{behind:,}", index=f"{index:,}")
    return f"{told} {said.unwitnessed.format(n=f'{alone:,}')}" if alone else told


def _given(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "") for name in FILTERS}
