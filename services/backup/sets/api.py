"""HTTP in and out: sets and their manifests."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from services.backup.formats import layout
from services.backup.sets import actions
from services.backup.sets.tables import BackupSet
from services.backup.sets.take import take
from services.backup.wiring import Wired
from shared.clock import rfc3339
from shared.http.app import CurrentActor

PURPOSE = "backup"


def shown(row: BackupSet) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "started": rfc3339(row.started_at),
        "taken": rfc3339(row.taken_at) if row.taken_at else None,
        "bytes": row.bytes,
        "parts": row.parts,
        "manifest_sha256": row.manifest_sha256,
        "failure": row.failure,
    }


def router(wired: Wired) -> APIRouter:
    routes = APIRouter(prefix="/api/backup", tags=["sets"])

    @routes.get("/sets")
    async def listed(actor: CurrentActor) -> dict[str, Any]:
        """The newest 200 sets."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            return {"sets": [shown(row) for row in await actions.listed(w)]}

    @routes.post("/sets", status_code=202)
    async def begin(actor: CurrentActor, response: Response) -> dict[str, Any]:
        """Take a set. It is taken when its state says so."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            row = actions.begin(w)
        wired.runner.start(take(wired, row.id))
        response.headers["Location"] = f"/api/backup/sets/{row.id}"
        return shown(row)

    @routes.get("/sets/{backup_id}")
    async def one(actor: CurrentActor, backup_id: str) -> dict[str, Any]:
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", actions.SETS)
            return shown(await actions.load(w, backup_id))

    @routes.get("/sets/{backup_id}/manifest")
    async def manifest(actor: CurrentActor, backup_id: str) -> PlainTextResponse:
        """The manifest as it was signed."""
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", actions.SETS)
        return PlainTextResponse(wired.store.get(layout.manifest(backup_id)))

    @routes.get("/keys")
    async def keys() -> PlainTextResponse:
        """The vkeys that manifests and drill reports verify with, oldest first. Public."""
        return PlainTextResponse("".join(f"{key}\n" for key in await wired.signer.vkeys()))

    return routes
