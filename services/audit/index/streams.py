"""What leaves in a stream: the export, and the live tail."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Send

from services.audit.events import TailEnded
from services.audit.index import actions, export, tail
from services.audit.index.actions import PURPOSE, TRAIL
from services.audit.index.api import ASKED, asked
from services.audit.index.formats import Format, media_type
from services.audit.index.model import Filters
from services.audit.wiring import Wired
from shared.access.actor import Actor
from shared.errors import KeptError
from shared.http.app import CurrentActor

log = logging.getLogger("kept.audit.streams")
SEND_SECONDS_MAX = 30.0  # for one piece; whoever does not read for so long is let go
Grant = Annotated[str, Header(alias="X-Kept-Grant", max_length=16_384, description="of identity: export of audit-trail")]
Since = Annotated[str, Header(alias="Last-Event-ID", max_length=100_000, description="go on after this event")]


class Patient(StreamingResponse):
    """A stream whose reader must read."""

    async def stream_response(self, send: Send) -> None:
        async def within(message: object) -> None:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await send(message)  # type: ignore[arg-type]  # passed through as it came

        try:
            await super().stream_response(within)
        except TimeoutError:  # the answer stays unfinished: its reader, should there be one, does not take it for whole
            log.warning("a stream was given up: nobody reads it")


def router(wired: Wired) -> APIRouter:
    routes = APIRouter(tags=["audit"])

    @routes.get("/api/audit/export", openapi_extra=ASKED, response_class=StreamingResponse)
    async def leave(
        http: Request, actor: CurrentActor, format: Format = "jsonl", receipts: bool = False, grant: Grant = ""
    ) -> Patient:
        """Every row that the filters let through, newest first: CSV, JSON Lines, or OCSF events as JSON Lines; with
        `receipts`, a proof beside each. `X-Rows` says how many. More than 10,000 take a grant."""
        filters = asked(http)
        granted = await wired.grants.verify(grant, "export", export.RESOURCE, actor) if grant else None
        async with wired.door.begin(actor, PURPOSE) as w:
            leaving = await export.begin(w, filters, format, receipts, granted)
        name = f"audit-trail.{'csv' if format == 'csv' else 'jsonl'}"
        headers = {
            "X-Rows": str(leaving.rows),
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
        body = export.lines(wired.door, actor, wired.blobs, leaving)
        return Patient(body, media_type=media_type(format), headers=headers)

    @routes.get("/api/audit/tail", openapi_extra=ASKED, response_class=StreamingResponse)
    async def live(
        http: Request, actor: CurrentActor, last_event_id: Since = "", since: Annotated[str, Query(max_length=100_000)] = ""
    ) -> Patient:
        """Events as they are published, as server-sent events, from now on or after `Last-Event-ID`."""
        filters = asked(http)
        async with wired.door.begin(actor, PURPOSE) as w:
            decision = w.decide("tail", TRAIL)
            wired.tail.admit()
            at = await wired.tail.start(last_event_id or since)
            actions.seen(w, "tail", filters, 0, decision.policy_ids)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Patient(_messages(wired, actor, filters, at), media_type="text/event-stream", headers=headers)

    return routes


async def _messages(wired: Wired, actor: Actor, filters: Filters, at: tail.Positions) -> AsyncIterator[bytes]:
    began, rows = time.monotonic(), 0
    try:
        yield tail.hello()
        try:
            async with aclosing(wired.tail.rows(filters, at)) as found:
                async for row in found:
                    rows += row is not None
                    yield tail.message(row, at)
            yield tail.farewell(None)
        except KeptError as error:
            log.warning("a live tail ends: %s", error.code)
            yield tail.farewell(error)
    finally:
        # The client may be gone, and this task cancelled: the end is told by another one.
        wired.tail.later(_ended(wired, actor, rows, int(time.monotonic() - began)))


async def _ended(wired: Wired, actor: Actor, rows: int, seconds: int) -> None:
    try:
        async with wired.door.begin(actor, PURPOSE) as w:
            w.publish(TailEnded(rows=rows, seconds=seconds))
    except KeptError as error:
        log.warning("the end of a live tail is not told: %s", error.code)
