"""What leaves in a stream: the export, and the live tail."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request

from services.audit.events import TailEnded
from services.audit.index import actions, export, tail
from services.audit.index.actions import PURPOSE, TRAIL
from services.audit.index.formats import Format, media_type
from services.audit.index.model import Filters
from services.audit.trail.api import ASKED, asked
from services.audit.wiring import Tools
from shared.access.actor import Actor
from shared.errors import KeptError
from shared.http.app import CurrentActor
from shared.http.stream import StillSignedIn, Stream

log = logging.getLogger("kept.audit.streams")
Grant = Annotated[str, Header(alias="X-Kept-Grant", max_length=16_384, description="of identity: export of audit-trail")]
Since = Annotated[str, Header(alias="Last-Event-ID", max_length=100_000, description="go on after this event")]


def router(tools: Tools) -> APIRouter:
    routes = APIRouter(tags=["audit"])

    @routes.get("/api/audit/export", openapi_extra=ASKED, response_class=Stream)
    async def leave(
        http: Request,
        actor: CurrentActor,
        still: StillSignedIn,
        format: Format = "jsonl",
        receipts: bool = False,
        grant: Grant = "",
    ) -> Stream:
        """Every row that the filters let through, newest first: CSV, JSON Lines, or OCSF events as JSON Lines; with
        `receipts`, a proof beside each. `X-Rows` says how many. More than 10,000 take a grant."""
        filters = asked(http)
        granted = await tools.grants.verify(grant, "export", export.RESOURCE, actor) if grant else None
        async with tools.door.begin(actor, PURPOSE) as w:
            leaving = await export.begin(w, filters, format, receipts, granted)
        name = f"audit-trail.{'csv' if format == 'csv' else 'jsonl'}"
        headers = {
            "X-Rows": str(leaving.rows),
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
        body = export.lines(tools.door, actor, tools.blobs, leaving)
        return Stream(body, still, media_type=media_type(format), headers=headers)

    @routes.get("/api/audit/tail", openapi_extra=ASKED, response_class=Stream)
    async def live(
        http: Request,
        actor: CurrentActor,
        still: StillSignedIn,
        last_event_id: Since = "",
        since: Annotated[str, Query(max_length=100_000)] = "",
    ) -> Stream:
        """Events as they are published, as server-sent events, from now on or after `Last-Event-ID`; until you sign out."""
        filters = asked(http)
        async with tools.door.begin(actor, PURPOSE) as w:
            decision = w.decide("tail", TRAIL)
            tools.tail.admit()
            at = await tools.tail.start(last_event_id or since)
            actions.seen(w, "tail", filters, 0, decision.policy_ids)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        messages = _messages(tools, actor, filters, at)
        return Stream(messages, still, media_type="text/event-stream", headers=headers, farewell=tail.farewell)

    return routes


async def _messages(tools: Tools, actor: Actor, filters: Filters, at: tail.Positions) -> AsyncIterator[bytes]:
    began, rows = time.monotonic(), 0
    try:
        yield tail.hello()
        async with aclosing(tools.tail.rows(filters, at)) as found:
            async for row in found:
                rows += row is not None
                yield tail.message(row, at)
        yield tail.farewell(None)
    finally:
        # The client may be gone, and this task cancelled: the end is told by another one.
        tools.tail.later(_ended(tools, actor, rows, int(time.monotonic() - began)))


async def _ended(tools: Tools, actor: Actor, rows: int, seconds: int) -> None:
    try:
        async with tools.door.begin(actor, PURPOSE) as w:
            w.publish(TailEnded(rows=rows, seconds=seconds))
    except KeptError as error:
        log.warning("the end of a live tail is not told: %s", error.code)
