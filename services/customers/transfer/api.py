"""HTTP: a file in, a sealed file out."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from services.customers.transfer import actions
from services.customers.transfer.model import decode, parse
from services.customers.wiring import Tools
from shared.access.grants import GrantVerifier
from shared.http.app import CurrentActor
from shared.http.idempotency import OnlyOnce
from shared.once import Impersonal
from shared.work import Door

IMPORTS = "/api/customers/imports"
Returning = Annotated[
    bool,
    Query(description="those in this file who were forgotten are customers again: you answer for a new contract or consent"),
]


class ImportOut(Impersonal):
    """What the import did. `refused_columns` have no purpose in the field policy: nothing of them was stored. `forgotten`
    rows are of people who were forgotten: nothing of them was stored either."""

    import_id: str
    rows: int
    created: int
    already_there: int
    forgotten: int
    returned: int
    refused_columns: list[str] = Field(examples=[["Company", "Fax"]])


class ExportIn(BaseModel):
    """`recipient`: your own age public key; only its owner opens the file."""

    recipient: str = Field(max_length=200, examples=["age1..."])


def router(door: Door, tools: Tools, grants: GrantVerifier) -> APIRouter:
    api = APIRouter(tags=["transfer"])

    @api.post(
        IMPORTS,
        status_code=201,
        openapi_extra={"requestBody": {"content": {"text/csv": {"schema": {"type": "string"}}}, "required": True}},
    )
    async def import_customers(
        request: Request, actor: CurrentActor, once: OnlyOnce, returning: Returning = False
    ) -> ImportOut:
        """The body is the CSV file itself, UTF-8. All of it is taken in, or nothing. Who was forgotten stays so."""
        file = parse(decode(await request.body()), tools.policy)
        async with door.begin(actor, "import", once=once) as w:
            done = await actions.import_customers(w, tools, file, returning=returning)
            return once.answer(ImportOut(**vars(done)))

    @api.post("/api/customers/exports", response_class=Response)
    async def export_customers(
        body: ExportIn,
        actor: CurrentActor,
        once: OnlyOnce,
        grant: Annotated[str, Header(alias="X-Kept-Grant", max_length=16384)],
    ) -> Response:
        """Every record you may see, sealed to your key. Takes a grant of identity for `export` of `customers`.

        The file itself is kept nowhere: sent again with the same Idempotency-Key, the answer says that it was done."""
        granted = await grants.verify(grant, "export", actions.EXPORT, actor)
        async with door.begin(actor, "export", once=once) as w:
            sealed = await actions.export_customers(w, tools, granted, body.recipient)
        headers = {"Content-Disposition": 'attachment; filename="customers.csv.age"', "Cache-Control": "no-store"}
        return Response(sealed, media_type="application/octet-stream", headers=headers)

    return api
