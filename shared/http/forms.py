"""A form that is sent twice, by a second click or by going back, is done once, and both times leads to the page that shows it.

    <form method="post" …>{{ form_mark() }} … </form>

    async def refuse(actor: CurrentActor, once: FormOnce) -> Response:
        async with door.begin(actor, once=once) as w:
            await actions.refuse(w, ...)
            return reached(once, "/approvals")

Each showing of a form has a mark of its own. The same mark with the same content is the same wish; with another content, after
going back and correcting it, it is another one. A form without a mark is done each time.
"""

import hashlib
import json
import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from shared.http.app import CurrentActor
from shared.http.pages import FORM_MARK
from shared.once import Impersonal, Once

_MARK = re.compile(r"[A-Za-z0-9_-]{20,64}")  # hard to guess, as every key of shared/once.py


class Reached(Impersonal):
    """Where a form led. A path of ours, ids and words alone."""

    location: str


async def once_for(request: Request, actor: str) -> Once:
    """The form of this request, as `actor` sent it."""
    fields = [(name, value if isinstance(value, str) else "") for name, value in (await request.form()).multi_items()]
    mark = next((value for name, value in fields if name == FORM_MARK), "")
    if not _MARK.fullmatch(mark):
        return Once("", actor, b"", HTTPStatus.SEE_OTHER)
    content = json.dumps([request.url.path, request.url.query, fields])
    key = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()  # of the mark too, which nobody can guess
    return Once(key, actor, b"", HTTPStatus.SEE_OTHER, waits=True)


async def form_once(request: Request, actor: CurrentActor) -> Once:
    """As `once_for`, of whoever is signed in."""
    return await once_for(request, actor.id)


def reached(once: Once, location: str) -> RedirectResponse:
    """The answer to the form, now and when it is sent again. Call it before the transaction ends."""
    once.answer(Reached(location=location))
    return RedirectResponse(location, status_code=HTTPStatus.SEE_OTHER)


FormOnce = Annotated[Once, Depends(form_once)]
