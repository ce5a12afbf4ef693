"""The one way to answer in a stream: it lasts no longer than the session that asked for it, and its reader must read.

A token is checked when a request comes; a stream may go on for minutes after. So every stream goes through here (a test finds
those that don't): before each piece, and every LOOK_SECONDS while it waits for one, it is asked again whether the token is
still good and its session still open. When it is not, the last message says so; a file, which has no room for one, stays
unfinished, so that nobody takes it for whole.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse
from starlette.types import Send

from shared.access.tokens import TokenVerifier
from shared.errors import KeptError, UnauthenticatedError
from shared.http.app import Documented, token_of

log = logging.getLogger("kept.http.stream")
SEND_SECONDS_MAX = 30.0  # for one piece; whoever does not read for so long is let go
LOOK_SECONDS = 2.0
Farewell = Callable[[KeptError], bytes]
Still = Callable[[], None]


async def still_signed_in(request: Request, documented: Documented = None) -> Still:
    """Raises UnauthenticatedError, whenever it is called, once who asks is not signed in any more."""
    token = token_of(request)
    if not token:
        raise UnauthenticatedError
    verifier: TokenVerifier = request.app.state.verifier
    known = await verifier.signed_in(token)
    return lambda: verifier.require_still(known)


StillSignedIn = Annotated[Still, Depends(still_signed_in)]


class Stream(StreamingResponse):
    """`pieces`, as they come. `farewell`: how a stream of messages says why it ends early; a file has no such thing."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        still: Still,
        status_code: int = 200,  # named, since OpenAPI is made from it
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
        farewell: Farewell | None = None,
    ) -> None:
        super().__init__(while_signed_in(pieces, still, farewell), status_code, headers, media_type)

    async def stream_response(self, send: Send) -> None:
        async def within(message: object) -> None:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await send(message)  # type: ignore[arg-type]  # passed through as it came

        try:
            await super().stream_response(within)
        except TimeoutError:  # the answer stays unfinished: its reader, should there be one, does not take it for whole
            log.warning("a stream was given up: nobody reads it")
        except KeptError as error:
            log.warning("a stream was broken off: %s", error.code)


async def while_signed_in(pieces: AsyncIterator[bytes], still: Still, farewell: Farewell | None) -> AsyncIterator[bytes]:
    """The pieces, until `still` raises. With `farewell` the last one says why; without, the error goes on."""
    coming: asyncio.Task[bytes | None] | None = None
    try:
        while True:
            coming = asyncio.create_task(_next(pieces))
            while not coming.done():
                still()
                await asyncio.wait({coming}, timeout=LOOK_SECONDS)
            still()
            piece = coming.result()
            if piece is None:
                return
            yield piece
    except KeptError as error:
        if farewell is None:
            raise
        log.warning("a stream ends: %s", error.code)
        yield farewell(error)
    finally:
        if coming is not None and not coming.done():
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)
