"""The witness's HTTP side: `POST /add-checkpoint`, and the checkpoints that it signed for whoever monitors a log.

GET /<SHA-256 of the origin>/checkpoint   the one signed last, with the log's lines and this witness's
GET /                                     the witness's vkey
GET /livez, /metrics
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.audit.witness.key import WitnessKey
from services.audit.witness.protocol import BehindError, InconsistentError, parse, tree_of
from services.audit.witness.store import Memory
from services.audit.witness.trust import Trusted
from shared.clock import Clock
from shared.errors import KeptError, NotAllowedError, NotFoundError, TamperError, TooLargeError
from shared.http.gauges import Gauge, text_of
from shared.notes.note import parse_vkey, signature_line, split_note, verify_note

log = logging.getLogger("kept.witness")
BODY_BYTES_MAX = 256 * 1024  # 63 lines of proof are 3 kB; the rest is a checkpoint and all who signed it
Answering = Callable[[Request], Awaitable[Response]]


class Witness:
    """What happens to a request, without HTTP."""

    def __init__(self, key: WitnessKey, memory: Memory, trusted: Trusted, clock: Clock) -> None:
        self.key = key
        self.memory = memory
        self._trusted = trusted
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> str:
        """The line of the cosignature.

        1. The request is well formed, else MalformedError; 2. its origin is trusted, else NotFoundError; 3. a key of that
        origin signed, else NotAllowedError; 4. it follows from what was signed last (protocol.follows), and that is durable.
        """
        submitted = parse(body)  # 1
        text, lines = split_note(submitted.note)
        new = tree_of(text)
        vkeys = self._trusted.vkeys(submitted.origin)  # 2
        if not vkeys:
            raise NotFoundError("not a log that this witness knows")
        try:  # 3
            verify_note(submitted.note, vkeys)
        except TamperError as error:
            raise NotAllowedError(error.detail) from None
        known = {(key.name, key.id) for key in map(parse_vkey, vkeys)}
        proven = [signature_line(name, raw[:4], raw[4:]) for name, raw in lines if (name, raw[:4]) in known]
        note, now = f"{text}\n{''.join(proven)}", int(self._clock.now().timestamp())
        try:  # 4
            return self.memory.sign(submitted, new, note, lambda at: self.key.cosign(text, at), now)
        except InconsistentError as error:
            log.error("%s at size %d is refused: %s", submitted.origin, new.size, error.detail)
            self.memory.refuse(submitted.origin, new, note, now)
            raise


def app(witness: Witness) -> Starlette:
    """The application that serves `witness`."""

    async def add_checkpoint(request: Request) -> Response:
        # In a thread: it waits for the disk.
        line = await asyncio.to_thread(witness.add_checkpoint, await _body(request))
        return PlainTextResponse(line)

    async def last(request: Request) -> Response:
        found = await asyncio.to_thread(witness.memory.last, request.path_params["origin"])
        if found is None:
            raise NotFoundError("never signed")
        return PlainTextResponse(found, headers={"Cache-Control": "no-cache"})

    async def who(_: Request) -> Response:
        return PlainTextResponse(f"{witness.key.vkey}\n")

    async def livez(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def metrics(_: Request) -> Response:
        counts = await asyncio.to_thread(witness.memory.counts)
        return PlainTextResponse(text_of([Gauge(f"kept_witness_{name}", {}, count) for name, count in counts.items()]))

    return Starlette(
        routes=[
            Route("/add-checkpoint", _told(add_checkpoint), methods=["POST"]),
            Route("/{origin:str}/checkpoint", _told(last)),
            Route("/", who),
            Route("/livez", livez),
            Route("/metrics", _told(metrics)),
        ]
    )


def _told(answering: Answering) -> Answering:
    """Errors as the protocol says them: a status, and one line for people. Of a 409 the body is the size, and nothing else."""

    async def told(request: Request) -> Response:
        try:
            return await answering(request)
        except BehindError as error:
            # As a header: Starlette would add a charset to a text type.
            return Response(f"{error.size}\n", error.status, headers={"Content-Type": "text/x.tlog.size"})
        except KeptError as error:
            if error.status >= 500:
                log.error("%s: %s", error.code, error.detail)
            return PlainTextResponse(f"{error.code}: {error.detail}\n", error.status)

    return told


async def _body(request: Request) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > BODY_BYTES_MAX:
            raise TooLargeError(f"the body is over its limit of {BODY_BYTES_MAX} bytes")
    return bytes(found)
