"""Pages: the list, one customer, and correcting a field. Plain forms; the same actions as the API's.

What a form does not name stays as it is: one field is corrected at a time, of those that are shown whole; it is emptied only
where the box for that is ticked.
"""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from services.customers.pages.show import Show
from services.customers.records import actions, looks, ownership
from services.customers.records.api import subject_id
from services.customers.wiring import Tools
from shared.access.actor import Actor
from shared.errors import InvalidInputError, PreconditionError
from shared.etag import Condition
from shared.http.app import CurrentActor
from shared.http.forms import FormOnce, reached
from shared.http.paging import Cursor
from shared.work import Door

Purpose = Annotated[str, Query(max_length=40)]


def router(door: Door, tools: Tools, show: Show, page_rows: int) -> APIRouter:
    pages = APIRouter(include_in_schema=False, prefix="/customers")

    @pages.get("")
    async def listed(
        request: Request,
        actor: CurrentActor,
        purpose: Purpose = "",
        cursor: Cursor = "",
    ) -> Response:
        return await page(request, actor, tools.policy.require_purpose(purpose), cursor, "")

    @pages.post("")
    async def found(
        request: Request,
        actor: CurrentActor,
        purpose: Annotated[str, Form(max_length=40)] = "",
        q: Annotated[str, Form(max_length=254)] = "",
    ) -> Response:
        return await page(request, actor, tools.policy.require_purpose(purpose), "", q.strip())

    async def page(request: Request, actor: Actor, why: str, cursor: str, q: str) -> Response:
        search = {"email" if "@" in q else "phone": q} if q else {}
        wrong = ""
        after: str | None = None
        async with door.look(actor, why) as look:
            try:
                if search:
                    found = await looks.search_customers(look, tools, search, limit=page_rows)
                else:
                    found, after = await looks.list_customers(look, tools, after=cursor, limit=page_rows)
            except InvalidInputError as error:  # before anything is read: what was typed is neither address nor number
                found, wrong = [], error.detail
        async with door.begin(actor, why) as w:
            unowned = await ownership.told_unowned(w)
        return show(
            request,
            "list.html",
            records=found,
            next=after,
            policy=tools.policy,
            purpose=why,
            searchable=True,
            wrong=wrong,
            unowned=unowned,
        )

    async def one(
        request: Request, actor: CurrentActor, customer_id: str, why: str, *, said: str = "", field: str = "", typed: str = "",
        detail: str = "",
    ) -> Response:  # fmt: skip
        async with door.look(actor, why) as look:
            record = await looks.view_customer(look, tools, subject_id(customer_id))
        async with door.begin(actor, why) as w:
            unusable = await actions.unusable_of(w, record.id)
        status = {"stale": 412, "bad": 422, "both": 422, "neither": 422}.get(said, 200)
        return show(
            request, "one.html", status=status, record=record, policy=tools.policy, purpose=why, searchable=False,
            said=said, field=field, typed=typed, detail=detail, unusable=unusable,
        )  # fmt: skip

    @pages.get("/{customer_id}")
    async def shown(
        request: Request, customer_id: str, actor: CurrentActor, purpose: Purpose = "", saved: bool = False
    ) -> Response:
        return await one(request, actor, customer_id, tools.policy.require_purpose(purpose), said="saved" if saved else "")

    @pages.post("/{customer_id}")
    async def correct(
        request: Request,
        customer_id: str,
        actor: CurrentActor,
        version: Annotated[int, Form(ge=1)],
        field: Annotated[str, Form(max_length=40)],
        once: FormOnce,
        value: Annotated[str, Form(max_length=2000)] = "",
        empty: Annotated[bool, Form()] = False,
        purpose: Purpose = "",
    ) -> Response:
        why = tools.policy.require_purpose(purpose)
        if empty == bool(value.strip()):
            return await one(request, actor, customer_id, why, said="both" if empty else "neither", field=field, typed=value)
        try:
            async with door.begin(actor, why, once=once) as w:
                await actions.update_customer(w, tools, subject_id(customer_id), Condition.on(version), {field: value})
                return reached(once, f"/customers/{customer_id}?purpose={why}&saved=1")
        except PreconditionError:
            return await one(request, actor, customer_id, why, said="stale", field=field, typed=value)
        except InvalidInputError as error:
            known = field if field in tools.policy.fields else "field"
            return await one(request, actor, customer_id, why, said="bad", field=known, typed=value, detail=error.detail)

    return pages
