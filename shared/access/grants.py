"""Grants: what identity signs when two people agreed. One action, one resource, one holder, once, for a short time.

That it is used once is the door's part: `w.spend(grant)` in the transaction that uses it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.access.actor import Actor
from shared.access.tokens import ClaimsVerifier
from shared.errors import NotAllowedError, UnauthenticatedError


@dataclass(frozen=True)
class Grant:
    jti: str
    approval_id: str
    action: str
    resource: str
    approvers: frozenset[str]
    expires: datetime


class GrantVerifier:
    def __init__(self, claims: ClaimsVerifier) -> None:
        self._claims = claims

    async def verify(self, grant: str, action: str, resource: str, actor: Actor) -> Grant:
        """The grant, if it is valid for exactly this. NotAllowedError otherwise; UnavailableError without keys."""
        try:
            found = await self._claims.claims(grant, "kept-grant")
            made = Grant(
                found.text("jti"),
                found.text("approval_id"),
                found.text("action"),
                found.text("resource"),
                found.texts("approvers"),
                datetime.fromtimestamp(int(found.values["exp"]), UTC),
            )
            holder = found.text("sub")
        except UnauthenticatedError:
            raise NotAllowedError("the grant is not valid") from None
        if (made.action, made.resource, holder) != (action, resource, actor.id):
            raise NotAllowedError("the grant is for something else")
        if len(made.approvers - {actor.id}) < 1:
            raise NotAllowedError("nobody else approved")
        return made
