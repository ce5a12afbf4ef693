"""HTTP: sign in for a token, sign out."""

import asyncio
import time

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.identity.sessions import actions
from services.identity.sessions.actions import Refused, SignedIn, Typed
from services.identity.sessions.model import until_next
from services.identity.wiring import Tools
from shared.access.actor import Actor
from shared.errors import TooManyError, UnauthenticatedError
from shared.http.app import CurrentActor
from shared.http.source import source_of
from shared.work import Door


class Credentials(BaseModel):
    """Password and second factor, together; `device`: what the last sign-in from here gave, if there was one."""

    email: str = Field(max_length=254, examples=["jane@chinookcorp.com"])
    password: str = Field(max_length=256)
    code: str = Field(max_length=16, examples=["123456"])
    device: str = Field(default="", max_length=200)


class Token(BaseModel):
    """A session token: `Authorization: Bearer <token>`. `device`: by which this device is known, so that whoever guesses at the
    same address does not slow it (docs/limits.md). It lets nobody in, and is kept where only its user reads it."""

    token: str
    expires_in: int
    device: str


async def attempt(door: Door, tools: Tools, typed: Typed) -> SignedIn | Refused:
    """One try, in its own transaction. The actor is the system: nobody is anybody yet.

    A flood of guesses takes neither all connections nor all memory (TooManyError). A refusal comes at one of few moments, so
    that its time does not tell whether the password was right and only the code was wrong."""
    async with tools.turnstile.turn(typed.source):
        begun = time.monotonic()
        async with door.begin(Actor.system("identity")) as w:
            said = await actions.sign_in(w, typed, tools)
    if isinstance(said, Refused):
        await asyncio.sleep(until_next(time.monotonic() - begun))
    return said


def router(door: Door, tools: Tools) -> APIRouter:
    api = APIRouter(prefix="/api/identity/sessions", tags=["sessions"])

    @api.post("", status_code=201)
    async def sign_in(request: Request, body: Credentials) -> Token:
        said = await attempt(door, tools, Typed(body.email, body.password, body.code, source_of(request), body.device))
        if isinstance(said, Refused):
            if said.retry_after:
                raise TooManyError("too many tries from where you are, or for this address", retry_after=said.retry_after)
            raise UnauthenticatedError("address, password or code is wrong; a code works once")
        return Token(token=said.token, expires_in=int(tools.lifetime.total_seconds()), device=said.device)

    @api.delete("", status_code=204)
    async def sign_out(actor: CurrentActor) -> None:
        """End every session of yours. A second later no service takes their tokens any more."""
        async with door.begin(actor) as w:
            await actions.end_all(w, actor.id)

    return api
