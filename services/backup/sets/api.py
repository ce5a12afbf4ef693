"""HTTP in and out: sets and their manifests."""

from typing import cast

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from services.backup.formats import layout
from services.backup.sets import actions
from services.backup.sets.model import State
from services.backup.sets.tables import BackupSet
from services.backup.wiring import Tools
from shared.clock import rfc3339
from shared.http.app import CurrentActor
from shared.http.idempotency import OnlyOnce
from shared.http.paging import Cursor, Limit, Page
from shared.once import Impersonal
from shared.paging import PAGE_ROWS

PURPOSE = "backup"


class OfSet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    backup_id: str = Field(pattern=r"^bak_[0-9a-f]{32}$", examples=["bak_019ab3c01234567890abcdef12345678"])


class SetOut(Impersonal):
    """One set."""

    id: str = Field(examples=["bak_019ab3c01234567890abcdef12345678"])
    state: State
    started: str
    taken: str | None
    bytes: int | None
    parts: int | None
    manifest_sha256: str | None
    failure: str | None

    @classmethod
    def of(cls, row: BackupSet) -> "SetOut":
        return cls(
            id=row.id,
            state=cast("State", row.state),
            started=rfc3339(row.started_at),
            taken=rfc3339(row.taken_at) if row.taken_at else None,
            bytes=row.bytes,
            parts=row.parts,
            manifest_sha256=row.manifest_sha256,
            failure=row.failure,
        )


def router(tools: Tools) -> APIRouter:
    routes = APIRouter(prefix="/api/backup", tags=["sets"])

    @routes.get("/sets")
    async def listed(actor: CurrentActor, cursor: Cursor = "", limit: Limit = PAGE_ROWS) -> Page[SetOut]:
        """Sets, newest first."""
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            rows, after = await actions.listed(w, cursor=cursor, limit=limit)
            return Page(items=[SetOut.of(row) for row in rows], next=after)

    @routes.post("/sets", status_code=202)
    async def begin(actor: CurrentActor, once: OnlyOnce) -> SetOut:
        """Take a set. It is taken when its state says so."""
        async with tools.door.begin(actor, purpose=PURPOSE, once=once) as w:
            begun = once.answer(SetOut.of(actions.begin(w)))
        return begun

    @routes.get("/sets/{backup_id}")
    async def one(actor: CurrentActor, backup_id: str) -> SetOut:
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", actions.SETS)
            return SetOut.of(await actions.load(w, backup_id))

    @routes.get("/sets/{backup_id}/manifest")
    async def manifest(actor: CurrentActor, backup_id: str) -> PlainTextResponse:
        """The manifest as it was signed."""
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            w.decide("view", actions.SETS)
        return PlainTextResponse(tools.store.get(layout.manifest(backup_id)))

    @routes.get("/keys")
    async def keys() -> PlainTextResponse:
        """The vkeys that manifests and drill reports verify with, oldest first. Public."""
        return PlainTextResponse("".join(f"{key}\n" for key in await tools.signer.vkeys()))

    return routes
