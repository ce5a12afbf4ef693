"""HTTP: look at customers, search them, correct one."""

from typing import Annotated, Self

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.customers.records import actions
from services.customers.records.actions import Record
from services.customers.wiring import Tools
from shared.access.masks import Level
from shared.errors import NotFoundError
from shared.etag import etag
from shared.http.app import CurrentActor
from shared.http.conditions import SeenVersion
from shared.http.paging import Cursor, Limit, Page
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
    address_change: str | None = Field(
        default=None, description="one record only: its changed e-mail address proves nothing yet; what an approval names"
    )


class CustomersOut(Page[CustomerOut]):
    """One page of customers, as you see them for this purpose."""

    purpose: str = Field(examples=["support"])


class UnusableOut(BaseModel):
    """A stored value that today's grammar refuses or that nobody can use, and why; never the value. Correct it."""

    subject: str
    field: str = Field(examples=["phone"])
    reason: str


class Search(BaseModel):
    """What to look for, exactly; at least one of them."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field("", max_length=254, examples=["luisg@embraer.com.br"])
    phone: str = Field("", max_length=40, description="with country code", examples=["+55 12 3923-5555"])

    @model_validator(mode="after")
    def something(self) -> Self:
        if not (self.email or self.phone):
            raise ValueError("give an e-mail address or a phone number")
        return self


class Changes(BaseModel):
    """Fields to correct. Null or empty empties a field that may be empty."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[str, str | None] = Field(min_length=1, max_length=20, examples=[{"city": "Porto Alegre"}])


def shape(record: Record) -> CustomerOut:
    fields = {name: FieldOut(level=one.level, value=one.value) for name, one in record.fields.items()}
    return CustomerOut(
        id=record.id, version=record.version, owner=record.owner, fields=fields, address_change=record.address_change
    )


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
        cursor: Cursor = "",
        limit: Limit = page_rows,
    ) -> CustomersOut:
        """Your customers and those of your reporting line. The whole page is one event in the log."""
        why = tools.policy.require_purpose(purpose)
        async with door.begin(actor, why) as w:
            found, after = await actions.list_customers(w, tools, after=cursor, limit=limit)
        return CustomersOut(items=[shape(one) for one in found], next=after, purpose=why)

    @api.post("/search")
    async def search_customers(asked: Search, actor: CurrentActor, purpose: PurposeHeader = None) -> CustomersOut:
        """Those of your customers who have exactly this address and number. A POST: an address in a URL ends in histories."""
        why = tools.policy.require_purpose(purpose)
        async with door.begin(actor, why) as w:
            search = {name: value for name, value in asked if value}
            found, _ = await actions.list_customers(w, tools, after="", limit=page_rows, search=search)
        return CustomersOut(items=[shape(one) for one in found], next=None, purpose=why)

    @api.get("/unusable")
    async def list_unusable(
        actor: CurrentActor, cursor: Annotated[str, Query(max_length=100)] = "", limit: Limit = page_rows
    ) -> Page[UnusableOut]:
        """What is kept as it was written, and can't be used, of your customers: whose, which field, why."""
        subject, _, field = cursor.partition(".")
        async with door.begin(actor) as w:
            found, more = await actions.list_unusable(w, after=(subject, field), limit=limit)
        items = [UnusableOut(subject=one.customer_id, field=one.field, reason=one.reason) for one in found]
        return Page(items=items, next=f"{items[-1].subject}.{items[-1].field}" if more else None)

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
        seen: SeenVersion,
        response: Response,
        purpose: PurposeHeader = None,
    ) -> CustomerOut:
        """Correct fields. If-Match is required: nobody overwrites what they have not seen."""
        async with door.begin(actor, tools.policy.require_purpose(purpose)) as w:
            found = await actions.update_customer(w, tools, subject_id(customer_id), seen, changes.fields)
        response.headers["ETag"] = etag(found.version)
        return shape(found)

    return api
