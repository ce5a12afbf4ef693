"""HTTP: the published keys, and who a token says one is."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from services.identity.access.signer import TokenSigner
from shared.http.app import CurrentActor

keys_seconds = 60  # how long others may keep the key set: a new key version is known a minute later at most


class Me(BaseModel):
    """What the token says."""

    id: str
    kind: str
    roles: list[str]
    team: list[str]


def router(signer: TokenSigner) -> APIRouter:
    api = APIRouter(tags=["access"])

    @api.get("/.well-known/jwks.json")
    async def keys(response: Response) -> dict[str, list[dict[str, str]]]:
        response.headers["Cache-Control"] = f"public, max-age={keys_seconds}"
        return await signer.published()

    @api.get("/api/identity/me")
    async def me(actor: CurrentActor) -> Me:
        return Me(id=actor.id, kind=actor.kind, roles=sorted(actor.roles), team=sorted(actor.team))

    return api
