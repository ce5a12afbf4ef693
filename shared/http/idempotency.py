"""`Idempotency-Key` of a POST: a route asks for `OnlyOnce`, gives it to the door, and says what may be kept of its answer.

async def ask(body: Asked, actor: CurrentActor, once: OnlyOnce) -> Shown:
    async with door.begin(actor, once=once) as w:
        return once.answer(Shown.of(await actions.request(w, ...)))
"""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from shared.errors import InvalidInputError
from shared.http.app import CurrentActor
from shared.http.problem import location
from shared.once import Once

# A structured-field string (RFC 9651) of at least 16 characters: a UUID has 36. The same without quotes is what most
# clients of other interfaces send; it is the same key.
_KEY = re.compile(r'"([\x21\x23-\x5b\x5d-\x7e]{16,200})"|([A-Za-z0-9._~+/=:-]{16,200})')


async def only_once(
    request: Request,
    response: Response,
    actor: CurrentActor,
    idempotency_key: Annotated[
        str,
        Header(
            max_length=210,
            description="One for each thing to be done, sent again with each try: it is done once, and the first answer "
            "comes back. Hard to guess, at least 16 characters; kept for 24 hours.",
            examples=['"8e03978e-40d5-43e8-bc93-6894a57f9324"'],
        ),
    ] = "",
) -> Once:
    """The request under its key. InvalidInputError for a key that is none."""
    status = getattr(request.scope.get("route"), "status_code", None) or HTTPStatus.OK

    def told(answer: BaseModel) -> None:
        response.headers.update(location(request.url.path, status, getattr(answer, "id", None)))

    if not idempotency_key:
        return Once("", actor.id, b"", status, told)
    found = _KEY.fullmatch(idempotency_key.strip())
    if found is None:
        raise InvalidInputError(
            'a string of 16 to 200 visible characters in quotes, such as a UUID: "8e03978e-40d5-43e8-bc93-6894a57f9324"',
            field="Idempotency-Key",
        )
    about = [request.method, request.url.path, request.url.query, request.headers.get("content-type", "")]
    what = b"\0".join([*(one.encode() for one in about), await request.body()])
    return Once(found[1] or found[2], actor.id, what, status, told)


OnlyOnce = Annotated[Once, Depends(only_once)]
