"""The log, read-only and public: `/log/…` as it lies in the store. Entries hold ciphertext and pseudonyms."""

import asyncio

from fastapi import APIRouter, Response

from services.audit.log.store import moves
from shared.blobs import BlobStore
from shared.errors import MalformedError, NotFoundError

FOREVER = "public, max-age=31536000, immutable"


def router(blobs: BlobStore) -> APIRouter:
    routes = APIRouter(tags=["log"])

    @routes.get("/log/{path:path}")
    async def file(path: str) -> Response:
        """A file of the log: `shards`, `keys`, `<topic>/<partition>/checkpoint`, `…/tile/…`, `…/large/…`."""
        try:
            data = await asyncio.to_thread(blobs.get, path)
        except MalformedError:
            raise NotFoundError() from None
        moving = moves(path)
        text = moving and "text/plain; charset=utf-8"
        cache = "no-cache" if moving else FOREVER
        return Response(data, media_type=text or "application/octet-stream", headers={"Cache-Control": cache})

    return routes
