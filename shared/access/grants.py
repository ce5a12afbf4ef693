"""Grants: what identity signs when two people agreed. One action, one resource, one holder, once, for a short time.

That it is used once is the door's part: `w.spend(grant)` in the transaction that uses it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Protocol

from shared.access.actor import Actor
from shared.access.decide import Resource
from shared.access.tokens import ClaimsVerifier
from shared.errors import NotAllowedError, UnauthenticatedError

PEOPLE_NEEDED = 2  # who did not ask (P11)


@dataclass(frozen=True)
class Grant:
    jti: str
    approval_id: str
    action: str
    resource: str
    approvers: frozenset[str]
    expires: datetime


class Refusing(Protocol):
    """The door, as far as a refusal goes (shared/work.py)."""

    async def refuse(self, actor: Actor, action: str, resource: Resource, detail: str) -> NoReturn: ...


class GrantVerifier:
    """Checks the grants that are shown to one service; an attempt with a wrong one is told like every refused attempt (P7)."""

    def __init__(self, claims: ClaimsVerifier, door: Refusing) -> None:
        self._claims = claims
        self._door = door

    async def verify(self, grant: str, action: str, resource: str, actor: Actor) -> Grant:
        """The grant, if it is valid for exactly this. NotAllowedError otherwise; UnavailableError without keys."""
        try:
            return await granted(self._claims, grant, action, resource, actor)
        except NotAllowedError as error:
            await self._door.refuse(actor, action, Resource("Grant", resource), error.detail)


async def granted(claims: ClaimsVerifier, grant: str, action: str, resource: str, actor: Actor) -> Grant:
    """The grant, if it is valid for exactly this. NotAllowedError otherwise; UnavailableError without keys."""
    try:
        found = await claims.claims(grant, "kept-grant")
        made = Grant(
            found.text("jti"),
            found.text("approval_id"),
            found.text("action"),
            found.text("resource"),
            found.texts("approvers"),
            found.time("exp"),
        )
        holder = found.text("sub")
    except UnauthenticatedError:
        raise NotAllowedError("the grant is not valid") from None
    if (made.action, made.resource, holder) != (action, resource, actor.id):
        raise NotAllowedError("the grant is for something else")
    if len(made.approvers - {actor.id}) < PEOPLE_NEEDED:
        raise NotAllowedError("two others have to approve")
    return made
