"""HTTP: look at customers, search them, correct one."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.customers.records import actions
from services.customers.records.actions import Record
from services.customers.records.model import etag
from services.customers.wiring import Tools
from shared.access.masks import Level
from shared.errors import NotFoundError, PreconditionError
from shared.http.app import CurrentActor
from shared.ids import is_id
from shared.work import Door

PurposeHeader = Annotated[
    str | None, Header(alias="X-Purpose", max_length=40, description="why you look", examples=["support"])
]


class FieldOut(BaseModel):
    """One field at the level that the purpose gives; `value` is null where it is hidden or nothing is held."""

    level: Level
    value: str | None


class CustomerOut(BaseModel):
    """A customer as you see it for this purpose."""

    id: str = Field(examples=["sub_0199c0ffee7a7c3e9f0a1b2c3d4e5f60"])
    version: int
    owner: str
    fields: dict[str, FieldOut]


class Page(BaseModel):
    """One page; `next` is the `cursor` of the one after it."""

    customers: list[CustomerOut]
    next: str | None
    purpose: str


class Changes(BaseModel):
    """Fields to correct. Null or empty empties a field that may be empty."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[str, str | None] = Field(min_length=1, max_length=20, examples=[{"city": "Porto Alegre"}])


def shape(record: Record) -> CustomerOut:
    fields = {name: FieldOut(level=one.level, value=one.value) for name, one in record.fields.items()}
    return CustomerOut(id=record.id, version=record.version, owner=record.owner, fields=fields)


def subject_id(text: str) -> str:
    """A path's id; anything else is simply not there."""
    if not is_id(text, "sub"):
        raise NotFoundError
    return text


def router(door: Door, tools: Tools, page_rows: int) -> APIRouter:
    api = APIRouter(prefix="/api/customers", tags=["customers"])

    @api.get("")
    async def list_customers(
        actor: CurrentActor,
        purpose: PurposeHeader = None,
        q_email: Annotated[str, Query(max_length=254, description="exactly this address")] = "",
        q_phone: Annotated[str, Query(max_length=40, description="exactly this number, with country code")] = "",
        cursor: Annotated[str, Query(max_length=40)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = page_rows,
    ) -> Page:
        """Your customers and those of your reporting line. The whole page is one event in the log."""
        why = tools.policy.require_purpose(purpose)
        search = {name: value for name, value in (("email", q_email), ("phone", q_phone)) if value}
        async with door.begin(actor, why) as w:
            found, after = await actions.list_customers(w, tools, after=cursor, limit=limit, search=search)
        return Page(customers=[shape(one) for one in found], next=after, purpose=why)

    @api.get("/{customer_id}")
    async def view_customer(
        customer_id: str, actor: CurrentActor, response: Response, purpose: PurposeHeader = None
    ) -> CustomerOut:
        """One customer; the ETag is what a correction must send as If-Match."""
        async with door.begin(actor, tools.policy.require_purpose(purpose)) as w:
            found = await actions.view_customer(w, tools, subject_id(customer_id))
        response.headers["ETag"] = etag(found.version)
        return shape(found)

    @api.patch("/{customer_id}")
    async def patch_customer(
        customer_id: str,
        changes: Changes,
        actor: CurrentActor,
        response: Response,
        if_match: Annotated[str, Header(max_length=40)] = "",
        purpose: PurposeHeader = None,
    ) -> CustomerOut:
        """Correct fields. If-Match is required: nobody overwrites what they have not seen."""
        if not if_match:
            raise PreconditionError("send If-Match with the ETag that you read")
        async with door.begin(actor, tools.policy.require_purpose(purpose)) as w:
            found = await actions.update_customer(w, tools, subject_id(customer_id), if_match, changes.fields)
        response.headers["ETag"] = etag(found.version)
        return shape(found)

    return api
