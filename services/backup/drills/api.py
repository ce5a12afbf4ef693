"""HTTP in and out: drills and their reports."""

from fastapi import APIRouter
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
from shared.http.idempotency import OnlyOnce
from shared.http.paging import Cursor, Limit, Page
from shared.once import Impersonal
from shared.paging import PAGE_ROWS


class OfSet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    backup_id: str = Field(pattern=r"^bak_[0-9a-f]{32}$", examples=["bak_019ab3c01234567890abcdef12345678"])


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
            report_sha256=row.report_sha256,
        )


def router(wired: Wired) -> APIRouter:
    routes = APIRouter(prefix="/api/backup", tags=["drills"])

    @routes.get("/drills")
    async def listed(actor: CurrentActor, cursor: Cursor = "", limit: Limit = PAGE_ROWS) -> Page[DrillOut]:
        """Drills, newest first."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            rows, after = await actions.listed(w, cursor=cursor, limit=limit)
            return Page(items=[DrillOut.of(row) for row in rows], next=after)

    @routes.post("/drills", status_code=202)
    async def begin(actor: CurrentActor, of: OfSet, once: OnlyOnce) -> DrillOut:
        """Restore a set into a scratch place and check it."""
        async with wired.door.begin(actor, purpose=PURPOSE, once=once) as w:
            begun = once.answer(DrillOut.of(await actions.begin(w, of.backup_id)))
        wired.runner.start(drill(wired, begun.id, begun.backup_id))
        return begun

    @routes.get("/drills/{drill_id}")
    async def one(actor: CurrentActor, drill_id: str) -> DrillOut:
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", sets.SETS)
            return DrillOut.of(await actions.load(w, drill_id))

    @routes.get("/drills/{drill_id}/report")
    async def report(actor: CurrentActor, drill_id: str) -> PlainTextResponse:
        """The report as it was signed."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", sets.SETS)
        return PlainTextResponse(wired.store.get(layout.report(drill_id)))

    return routes
