"""The page /backups: sets, drills, and the two buttons."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.backup.drills import actions as drills
from services.backup.sets import actions as sets
from services.backup.sets.api import PURPOSE
from services.backup.wiring import Tools
from shared.http.app import CurrentActor
from shared.http.forms import FormOnce, reached
from shared.http.pages import language_of


def router(tools: Tools) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/backups")
    async def backups(actor: CurrentActor, request: Request) -> HTMLResponse:
        async with tools.door.begin(actor, purpose=PURPOSE) as w:
            (found, _), (drilled, _) = await sets.listed(w), await drills.listed(w)
        may = "backup_operator" in actor.roles  # what is shown; what is allowed is decided by the actions
        text = tools.pages.get_template("backups.html").render(
            sets=found, drills=drilled, may=may, lang=language_of(request), staff=True
        )
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})

    @routes.post("/backups/sets")
    async def begin_set(actor: CurrentActor, once: FormOnce) -> RedirectResponse:
        async with tools.door.begin(actor, purpose=PURPOSE, once=once) as w:
            sets.begin(w)
            return reached(once, "/backups")

    @routes.post("/backups/drills")
    async def begin_drill(actor: CurrentActor, backup_id: Annotated[str, Form()], once: FormOnce) -> RedirectResponse:
        async with tools.door.begin(actor, purpose=PURPOSE, once=once) as w:
            await drills.begin(w, backup_id)
            return reached(once, "/backups")

    return routes
