"""The page /backups: sets, drills, and the two buttons."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.backup.drills import actions as drills
from services.backup.drills.drill import drill
from services.backup.sets import actions as sets
from services.backup.sets.api import PURPOSE
from services.backup.sets.take import take
from services.backup.wiring import Wired
from shared.http.app import CurrentActor
from shared.http.forms import FormOnce, reached
from shared.http.pages import language_of


def router(wired: Wired) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/backups")
    async def backups(actor: CurrentActor, request: Request) -> HTMLResponse:
        async with wired.door.begin(actor, purpose=PURPOSE) as w:
            (found, _), (drilled, _) = await sets.listed(w), await drills.listed(w)
        may = "backup_operator" in actor.roles  # what is shown; what is allowed is decided by the actions
        text = wired.pages.get_template("backups.html").render(
            sets=found, drills=drilled, may=may, lang=language_of(request), staff=True
        )
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})

    @routes.post("/backups/sets")
    async def begin_set(actor: CurrentActor, once: FormOnce) -> RedirectResponse:
        async with wired.door.begin(actor, purpose=PURPOSE, once=once) as w:
            row, there = sets.begin(w), reached(once, "/backups")
        wired.runner.start(take(wired, row.id))
        return there

    @routes.post("/backups/drills")
    async def begin_drill(actor: CurrentActor, backup_id: Annotated[str, Form()], once: FormOnce) -> RedirectResponse:
        async with wired.door.begin(actor, purpose=PURPOSE, once=once) as w:
            row, there = await drills.begin(w, backup_id), reached(once, "/backups")
        wired.runner.start(drill(wired, row.id, row.backup_id))
        return there

    return routes
