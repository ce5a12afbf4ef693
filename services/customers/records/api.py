"""HTTP: look at customers, search them, make one, correct one."""

from typing import Annotated, Self

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_json

from services.customers.records import actions, looks, ownership
from services.customers.records.creation import create_customer as create
from services.customers.records.looks import Record
from services.customers.wiring import Tools
from shared.access.masks import Level
from shared.errors import NotFoundError
from shared.etag import etag
from shared.http.app import CurrentActor
from shared.http.conditions import SeenVersion
from shared.http.idempotency import OnlyOnce
from shared.http.paging import Cursor, Limit, Page
from shared.ids import is_id
from shared.once import Impersonal
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


class CustomerKept(CustomerOut, Impersonal):
    """A new customer as it is kept for the next time: without anybody in it."""


class CustomersOut(Page[CustomerOut]):
    """One page of customers, as you see them for this purpose."""

    purpose: str = Field(examples=["support"])


class UnusableOut(BaseModel):
    """A stored value that today's grammar refuses or that nobody can use, and why; never the value. Correct it."""

    subject: str
    field: str = Field(examples=["phone"])
    reason: str


class UnownedOut(BaseModel):
    """Customers whom nobody can see, because nobody on the staff is their representative yet.

    `without_number`: those of them who came before that number was kept; their file, imported once more, adds it."""

    records: int
    without_number: int


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


class New(BaseModel):
    """Somebody who becomes a customer. A field that is not given is empty."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[str, str | None] = Field(
        min_length=1,
        max_length=20,
        examples=[{"first_name": "Luís", "last_name": "Gonçalves", "email": "luisg@embraer.com.br"}],
    )
    owner: str | None = Field(
        default=None, max_length=40, description="who looks after them, of your reporting line; without: you"
    )


Returning = Annotated[
    bool, Query(description="who was forgotten is a customer again: you answer for a new contract or consent")
]


def shape(record: Record) -> dict[str, object]:
    """A `CustomerOut` as JSON has it. A page has hundreds of fields: a model of each would cost more than to open them all."""
    fields = {name: {"level": level, "value": value} for name, (level, value) in record.fields.items()}
    return {
        "id": record.id,
        "version": record.version,
        "owner": record.owner,
        "fields": fields,
        "address_change": record.address_change,
    }


def answered(body: object, *, version: int | None = None) -> Response:
    """`body` as JSON; with the ETag of one record."""
    headers = {"ETag": etag(version)} if version is not None else None
    return Response(to_json(body), media_type="application/json", headers=headers)


def subject_id(text: str) -> str:
    """A path's id; anything else is simply not there."""
    if not is_id(text, "sub"):
        raise NotFoundError
    return text


def router(door: Door, tools: Tools, page_rows: int) -> APIRouter:
    api = APIRouter(prefix="/api/customers", tags=["customers"])

    @api.get("", response_model=CustomersOut)
    async def list_customers(
        actor: CurrentActor,
        purpose: PurposeHeader = None,
        cursor: Cursor = "",
        limit: Limit = page_rows,
    ) -> Response:
        """Your customers and those of your reporting line. The whole page is one event in the log."""
        why = tools.policy.require_purpose(purpose)
        async with door.look(actor, why) as look:
            found, after = await looks.list_customers(look, tools, after=cursor, limit=limit)
        return answered({"items": [shape(one) for one in found], "next": after, "purpose": why})

    @api.post("", status_code=201)
    async def create_customer(
        new: New,
        actor: CurrentActor,
        once: OnlyOnce,
        response: Response,
        returning: Returning = False,
        purpose: PurposeHeader = None,
    ) -> CustomerOut:
        """A new customer, of yours or of somebody of your reporting line. An answer that is given again (`Idempotency-Key`) has
        no fields: no value of a person is kept for it."""
        async with door.begin(actor, tools.policy.require_purpose(purpose), once=once) as w:
            made = await create(w, tools, new.fields, new.owner, returning=returning)
            kept = CustomerKept(id=made.id, version=made.version, owner=made.owner, fields={})
            shown = once.answer(CustomerOut.model_validate(shape(made)), kept)
        response.headers["ETag"] = etag(made.version)
        return shown

    @api.post("/search", response_model=CustomersOut)
    async def search_customers(asked: Search, actor: CurrentActor, purpose: PurposeHeader = None) -> Response:
        """Those of your customers who have exactly this address and number. A POST: an address in a URL ends in histories."""
        why = tools.policy.require_purpose(purpose)
        async with door.look(actor, why) as look:
            found = await looks.search_customers(look, tools, {name: value for name, value in asked if value}, limit=page_rows)
        return answered({"items": [shape(one) for one in found], "next": None, "purpose": why})

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

    @api.get("/unowned")
    async def count_unowned(actor: CurrentActor) -> UnownedOut:
        """How many customers wait for a representative; for those who may import. It says of none who they are."""
        async with door.begin(actor) as w:
            found = await ownership.view_unowned(w)
        return UnownedOut(records=found.records, without_number=found.without_number)

    @api.get("/{customer_id}", response_model=CustomerOut)
    async def view_customer(customer_id: str, actor: CurrentActor, purpose: PurposeHeader = None) -> Response:
        """One customer; the ETag is what a correction must send as If-Match."""
        async with door.look(actor, tools.policy.require_purpose(purpose)) as look:
            found = await looks.view_customer(look, tools, subject_id(customer_id))
        return answered(shape(found), version=found.version)

    @api.patch("/{customer_id}", response_model=CustomerOut)
    async def patch_customer(
        customer_id: str,
        changes: Changes,
        actor: CurrentActor,
        seen: SeenVersion,
        purpose: PurposeHeader = None,
    ) -> Response:
        """Correct fields. If-Match is required: nobody overwrites what they have not seen."""
        async with door.begin(actor, tools.policy.require_purpose(purpose)) as w:
            found = await actions.update_customer(w, tools, subject_id(customer_id), seen, changes.fields)
        return answered(shape(found), version=found.version)

    return api
