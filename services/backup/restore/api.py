"""HTTP in and out: real restores, which need a grant of two people."""

from fastapi import APIRouter
from pydantic import Field

from services.backup.restore import actions
from services.backup.restore.left_out import LeftOut
from services.backup.restore.tables import Restore
from services.backup.sets import actions as sets
from services.backup.sets.api import PURPOSE, OfSet
from services.backup.wiring import Tools
from shared.clock import rfc3339
from shared.http.app import CurrentActor
from shared.http.idempotency import OnlyOnce
from shared.http.paging import Cursor, Limit, Page
from shared.once import Impersonal
from shared.paging import PAGE_ROWS


class Asked(OfSet):
    grant: str = Field(max_length=8192, description="from identity, for action restore on this set")


class RestoreOut(Impersonal):
    """One restore."""

    id: str
    backup_id: str
    approval_id: str
    state: str = Field(examples=["finished"])
    started: str
    finished: str | None
    erasures: int | None
    left_out: LeftOut | None = Field(default=None, description="of a set from before the horizon: who has no key any more")
    directory: str = Field(description="of the service's state")
    failure: str | None

    @classmethod
    def of(cls, row: Restore) -> "RestoreOut":
        return cls(
            id=row.id,
            backup_id=row.backup_id,
            approval_id=row.approval_id,
            state=row.state,
            started=rfc3339(row.started_at),
            finished=rfc3339(row.finished_at) if row.finished_at else None,
            erasures=row.erasures,
            left_out=LeftOut.model_validate(row.left_out) if row.left_out else None,
            directory=f"restored/{row.id[-8:]}/data",
            failure=row.failure,
        )


def router(tools: Tools) -> APIRouter:
    routes = APIRouter(prefix="/api/backup", tags=["restores"])

    @routes.get("/restores")
    async def listed(actor: CurrentActor, cursor: Cursor = "", limit: Limit = PAGE_ROWS) -> Page[RestoreOut]:
        """Restores, newest first."""
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            rows, after = await actions.listed(w, cursor=cursor, limit=limit)
            return Page(items=[RestoreOut.of(row) for row in rows], next=after)

    @routes.get("/restores/{restore_id}")
    async def one(actor: CurrentActor, restore_id: str) -> RestoreOut:
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", sets.SETS)
            return RestoreOut.of(await actions.load(w, restore_id))

    @routes.post("/restores", status_code=202)
    async def begin(actor: CurrentActor, asked: Asked, once: OnlyOnce) -> RestoreOut:
        """Restore a drilled set into a new directory of the service's state, with every erasure replayed."""
        grant = await tools.grants.verify(asked.grant, "restore", asked.backup_id, actor)
        async with tools.door.begin(actor, purpose=PURPOSE, once=once) as w:
            begun = once.answer(RestoreOut.of(await actions.begin(w, asked.backup_id, grant)))
        return begun

    return routes
