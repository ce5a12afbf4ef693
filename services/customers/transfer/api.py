"""HTTP: a file in, a sealed file out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field

from services.customers.transfer import actions, export
from services.customers.transfer.actions import Imported, Wish
from services.customers.transfer.model import ROWS_MAX, File, columns_of
from services.customers.transfer.notices import Notice
from services.customers.wiring import Tools
from shared.access.grants import GrantVerifier
from shared.http.app import CurrentActor
from shared.http.idempotency import OnlyOnce
from shared.once import Impersonal
from shared.sheets import ENCODINGS, Sheet, Text, decode
from shared.turns import Turns
from shared.work import Door

IMPORTS = "/api/customers/imports"
CHECKS = "/api/customers/imports/check"
AT_ONCE = 1  # files of everybody: imports are done one after the other anyway, and one process has one interpreter
Returning = Annotated[
    bool,
    Query(description="those in this file who were forgotten are customers again: you answer for a new contract or consent"),
]
Unowned = Annotated[
    bool,
    Query(description="take in also those whose SupportRepId nobody on the staff has: nobody sees them until somebody has it"),
]
Encoding = Annotated[
    str,
    Query(
        max_length=20,
        description=f"of a file that is neither marked nor UTF-8: {', '.join(ENCODINGS)}",
        examples=["windows-1252"],
    ),
]
BODY = {"requestBody": {"content": {"text/csv": {"schema": {"type": "string"}}}, "required": True}}


class CheckOut(BaseModel):
    """What an import of this file would do. `refused_columns` have no purpose in the field policy: nothing of them is stored,
    nor what they are called, which may be a person's name: an answer that is given again calls them by their place.
    `absent_columns` are ours that the file has not. `forgotten` rows are of people who were forgotten, and left out.
    `different` rows are there with other values, which stay. `numbered` records hold their number from then on."""

    rows: int
    created: int
    already_there: int
    forgotten: int
    returned: int
    different: int
    unowned: int
    numbered: int
    encoding: str = Field(examples=["UTF-8"])
    separator: str = Field(examples=["semicolon"])
    refused_columns: list[str] = Field(examples=[["Company", "Fax"]])
    absent_columns: list[str] = Field(examples=[["State"]])
    notices: list[Notice]

    @classmethod
    def of(cls, done: Imported, text: Text, file: File) -> Self:
        found = {name: value for name, value in vars(done).items() if name in cls.model_fields}
        return cls(
            **found, encoding=text.encoding, separator=file.separator, refused_columns=list(file.refused),
            absent_columns=list(file.absent),
        )  # fmt: skip


class ImportOut(CheckOut):
    """What the import did."""

    import_id: str


class ImportKept(ImportOut, Impersonal):
    """An `ImportOut` as it is kept for the next time."""

    @classmethod
    def of(cls, done: Imported, text: Text, file: File) -> Self:
        nameless = [f"column {place}" for place in file.refused_at]
        return super().of(done, text, file).model_copy(update={"refused_columns": nameless})


class ExportIn(BaseModel):
    """`recipient`: your own age public key; only its owner opens the file."""

    recipient: str = Field(max_length=200, examples=["age1..."])


def router(door: Door, tools: Tools, grants: GrantVerifier) -> APIRouter:
    api, turns = APIRouter(tags=["transfer"]), Turns(AT_ONCE)

    async def in_turn(actor: CurrentActor) -> AsyncIterator[None]:
        """Before a byte of the file is read: whether they may import at all; and one file of a person at a time."""
        async with door.begin(actor, "import") as w:
            actions.may_import(w, [])
        async with turns.own(actor.id):
            yield

    waited = [Depends(in_turn)]  # before the parameters, of which one reads the body

    def opened(raw: bytes, encoding: str) -> tuple[Text, File]:
        """In a thread, never where everybody else is answered."""
        text = decode(raw, encoding)
        Sheet(text, columns_of(tools.policy), ROWS_MAX).require_few()  # before all work
        return text, File(Sheet(text, columns_of(tools.policy), ROWS_MAX), tools.policy)

    @api.post(IMPORTS, status_code=201, openapi_extra=BODY, dependencies=waited)
    async def import_customers(
        request: Request,
        actor: CurrentActor,
        once: OnlyOnce,
        returning: Returning = False,
        unowned: Unowned = False,
        encoding: Encoding = "",
    ) -> ImportOut:
        """The body is the CSV file itself, as a spreadsheet writes it. All of it is taken in, or nothing.

        Who is there stays as they are, who was forgotten stays so; `notices` say which rows a person should look at."""
        raw = await request.body()
        async with turns.of_all():
            text, file = await asyncio.to_thread(opened, raw, encoding)
            async with door.begin(actor, "import", once=once) as w:
                done = await actions.import_customers(w, tools, file, Wish(returning, unowned))
                return once.answer(ImportOut.of(done, text, file), ImportKept.of(done, text, file))

    @api.post(CHECKS, openapi_extra=BODY, dependencies=waited)
    async def check_customers(
        request: Request, actor: CurrentActor, returning: Returning = False, encoding: Encoding = ""
    ) -> CheckOut:
        """What an import of this file would do; nobody is made. Comparing with what is there is a look, and told."""
        raw = await request.body()
        async with turns.of_all():
            text, file = await asyncio.to_thread(opened, raw, encoding)
            async with door.begin(actor, "import") as w:
                done = await actions.import_customers(w, tools, file, Wish(returning, check=True))
                return CheckOut.of(done, text, file)

    @api.post("/api/customers/exports", response_class=Response)
    async def export_customers(
        body: ExportIn,
        actor: CurrentActor,
        once: OnlyOnce,
        grant: Annotated[str, Header(alias="X-Kept-Grant", max_length=16384)],
    ) -> Response:
        """Every record you may see, sealed to your key. Takes a grant of identity for `export` of `customers`.

        The file itself is kept nowhere: sent again with the same Idempotency-Key, the answer says that it was done."""
        granted = await grants.verify(grant, "export", export.EXPORT, actor)
        async with door.begin(actor, "export", once=once) as w:
            sealed = await export.export_customers(w, tools, granted, body.recipient)
        headers = {"Content-Disposition": 'attachment; filename="customers.csv.age"', "Cache-Control": "no-store"}
        return Response(sealed, media_type="application/octet-stream", headers=headers)

    return api
