"""HTTP in and out: drills and their reports."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from services.backup.drills import actions
from services.backup.drills.tables import Drill
from services.backup.formats import layout
from services.backup.restore.left_out import LeftOut
from services.backup.sets import actions as sets
from services.backup.sets.api import PURPOSE, OfSet
from services.backup.wiring import Tools
from shared.clock import rfc3339
from shared.http.app import CurrentActor
from shared.http.idempotency import OnlyOnce
from shared.http.paging import Cursor, Limit, Page
from shared.once import Impersonal
from shared.paging import PAGE_ROWS


class CheckOut(BaseModel):
    """One check of a drill."""

    name: str
    passed: bool
    says: str


class DrillOut(Impersonal):
    """One drill."""

    id: str
    backup_id: str
    state: str = Field(examples=["passed"])
    started: str
    finished: str | None
    erasures: int | None
    checks: list[CheckOut]
    left_out: LeftOut | None = Field(default=None, description="of a set with the keys of the newest drilled one: who has none")
    report_sha256: str | None

    @classmethod
    def of(cls, row: Drill) -> "DrillOut":
        return cls(
            id=row.id,
            backup_id=row.backup_id,
            state=row.state,
            started=rfc3339(row.started_at),
            finished=rfc3339(row.finished_at) if row.finished_at else None,
            erasures=row.erasures,
            checks=[CheckOut(**one) for one in row.checks],
            left_out=LeftOut.model_validate(row.left_out) if row.left_out else None,
            report_sha256=row.report_sha256,
        )


def router(tools: Tools) -> APIRouter:
    routes = APIRouter(prefix="/api/backup", tags=["drills"])

    @routes.get("/drills")
    async def listed(actor: CurrentActor, cursor: Cursor = "", limit: Limit = PAGE_ROWS) -> Page[DrillOut]:
        """Drills, newest first."""
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            rows, after = await actions.listed(w, cursor=cursor, limit=limit)
            return Page(items=[DrillOut.of(row) for row in rows], next=after)

    @routes.post("/drills", status_code=202)
    async def begin(actor: CurrentActor, of: OfSet, once: OnlyOnce) -> DrillOut:
        """Restore a set into a scratch place and check it."""
        async with tools.door.begin(actor, purpose=PURPOSE, once=once) as w:
            begun = once.answer(DrillOut.of(await actions.begin(w, of.backup_id)))
        return begun

    @routes.get("/drills/{drill_id}")
    async def one(actor: CurrentActor, drill_id: str) -> DrillOut:
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", sets.SETS)
            return DrillOut.of(await actions.load(w, drill_id))

    @routes.get("/drills/{drill_id}/report")
    async def report(actor: CurrentActor, drill_id: str) -> PlainTextResponse:
        """The report as it was signed."""
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", sets.SETS)
        return PlainTextResponse(tools.store.get(layout.report(drill_id)))

    return routes
