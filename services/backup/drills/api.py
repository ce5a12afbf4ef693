"""HTTP in and out: drills and their reports."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from services.backup.drills import actions
from services.backup.drills.drill import drill
from services.backup.drills.tables import Drill
from services.backup.formats import layout
from services.backup.sets import actions as sets
from services.backup.sets.api import PURPOSE
from services.backup.wiring import Wired
from shared.clock import rfc3339
from shared.http.app import CurrentActor


class OfSet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    backup_id: str = Field(pattern=r"^bak_[0-9a-f]{32}$", examples=["bak_019ab3c01234567890abcdef12345678"])


def shown(row: Drill) -> dict[str, Any]:
    return {
        "id": row.id,
        "backup_id": row.backup_id,
        "state": row.state,
        "started": rfc3339(row.started_at),
        "finished": rfc3339(row.finished_at) if row.finished_at else None,
        "erasures": row.erasures,
        "checks": row.checks,
        "report_sha256": row.report_sha256,
    }


def router(wired: Wired) -> APIRouter:
    routes = APIRouter(prefix="/api/backup", tags=["drills"])

    @routes.get("/drills")
    async def listed(actor: CurrentActor) -> dict[str, Any]:
        """The newest 200 drills."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            return {"drills": [shown(row) for row in await actions.listed(w)]}

    @routes.post("/drills", status_code=202)
    async def begin(actor: CurrentActor, of: OfSet, response: Response) -> dict[str, Any]:
        """Restore a set into a scratch place and check it."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            row = await actions.begin(w, of.backup_id)
        wired.runner.start(drill(wired, row.id, row.backup_id))
        response.headers["Location"] = f"/api/backup/drills/{row.id}"
        return shown(row)

    @routes.get("/drills/{drill_id}")
    async def one(actor: CurrentActor, drill_id: str) -> dict[str, Any]:
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", sets.SETS)
            return shown(await actions.load(w, drill_id))

    @routes.get("/drills/{drill_id}/report")
    async def report(actor: CurrentActor, drill_id: str) -> PlainTextResponse:
        """The report as it was signed."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", sets.SETS)
        return PlainTextResponse(wired.store.get(layout.report(drill_id)))

    return routes
