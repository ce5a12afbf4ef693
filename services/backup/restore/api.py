"""HTTP in and out: real restores, which need a grant of two people."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from services.backup.drills.api import OfSet
from services.backup.restore import actions
from services.backup.restore.restore import restore
from services.backup.restore.tables import Restore
from services.backup.sets import actions as sets
from services.backup.sets.api import PURPOSE
from services.backup.wiring import Wired
from shared.clock import rfc3339
from shared.http.app import CurrentActor


class Asked(OfSet):
    grant: str = Field(max_length=8192, description="from identity, for action restore on this set")


def shown(row: Restore) -> dict[str, Any]:
    return {
        "id": row.id,
        "backup_id": row.backup_id,
        "approval_id": row.approval_id,
        "state": row.state,
        "started": rfc3339(row.started_at),
        "finished": rfc3339(row.finished_at) if row.finished_at else None,
        "erasures": row.erasures,
        "directory": f"restored/{row.id[-8:]}/data",
        "failure": row.failure,
    }


def router(wired: Wired) -> APIRouter:
    routes = APIRouter(prefix="/api/backup", tags=["restores"])

    @routes.get("/restores")
    async def listed(actor: CurrentActor) -> dict[str, Any]:
        """The newest 200 restores."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            return {"restores": [shown(row) for row in await actions.listed(w)]}

    @routes.get("/restores/{restore_id}")
    async def one(actor: CurrentActor, restore_id: str) -> dict[str, Any]:
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", sets.SETS)
            return shown(await actions.load(w, restore_id))

    @routes.post("/restores", status_code=202)
    async def begin(actor: CurrentActor, asked: Asked) -> dict[str, Any]:
        """Restore a drilled set into a new directory of the service's state, with every erasure replayed."""
        grant = await wired.grants.verify(asked.grant, "restore", asked.backup_id, actor)
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            row = await actions.begin(w, asked.backup_id, grant)
        wired.runner.start(restore(wired, row.id, row.backup_id))
        return shown(row)

    return routes
