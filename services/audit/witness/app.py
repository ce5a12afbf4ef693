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
from services.audit.witness.store import Memory, Proven
from services.audit.witness.trust import Trusted
from shared.clock import Clock
from shared.errors import InvariantError, KeptError, NotAllowedError, NotFoundError, TamperError, TooLargeError
from shared.gauges import Gauge, text_of
from shared.notes.note import parse_vkey, signature_line, split_note, verify_note

log = logging.getLogger("kept.witness")
TOGETHER_MAX = 256  # requests in one commit
BODY_BYTES_MAX = 256 * 1024  # 63 lines of proof are 3 kB; the rest is a checkpoint and all who signed it
Answering = Callable[[Request], Awaitable[Response]]


class Witness:
    """What happens to a request, without HTTP."""

    def __init__(self, key: WitnessKey, memory: Memory, trusted: Trusted, clock: Clock) -> None:
        self.key = key
        self.memory = memory
        self._trusted = trusted
        self._clock = clock
        self._waiting: list[tuple[Proven, asyncio.Future[str]]] = []
        self._signing: asyncio.Task[None] | None = None

    async def add_checkpoint(self, body: bytes) -> str:
        """The line of the cosignature. Errors of `proven` and `Memory.sign`."""
        one, line = self.proven(body), asyncio.get_running_loop().create_future()
        self._waiting.append((one, line))
        if self._signing is None or self._signing.done():
            self._signing = asyncio.create_task(self._sign())
        return str(await line)

    def proven(self, body: bytes) -> Proven:
        """1. The request is well formed, else MalformedError; 2. its origin is trusted, else NotFoundError; 3. a key of that
        origin signed, else NotAllowedError."""
        submitted = parse(body)  # 1
        text, lines = split_note(submitted.note)
        tree = tree_of(text)
        vkeys = self._trusted.vkeys(submitted.origin)  # 2
        if not vkeys:
            raise NotFoundError("not a log that this witness knows")
        try:  # 3
            verify_note(submitted.note, vkeys)
        except TamperError as error:
            raise NotAllowedError(error.detail) from None
        known = {(key.name, key.id) for key in map(parse_vkey, vkeys)}
        signed = [signature_line(name, raw[:4], raw[4:]) for name, raw in lines if (name, raw[:4]) in known]
        return Proven(submitted, tree, f"{text}\n{''.join(signed)}", lambda at: self.key.cosign(text, at))

    async def _sign(self) -> None:
        """All that wait, together, until none does."""
        while self._waiting:
            batch, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
            now, answers = int(self._clock.now().timestamp()), list[str | KeptError]()
            try:  # in a thread: it waits for the disk
                answers = await asyncio.to_thread(self.memory.sign, [one for one, _ in batch], now)
            except KeptError as error:
                answers = [error] * len(batch)
            except Exception:  # our own bug: told, and nobody waits for ever
                log.exception("signing failed")
                answers = [InvariantError("something is wrong with this witness")] * len(batch)
            for (one, line), answer in zip(batch, answers, strict=True):
                if isinstance(answer, InconsistentError):
                    log.error("%s at size %d is refused: %s", one.submitted.origin, one.tree.size, answer.detail)
                if line.done():
                    continue  # who asked is gone
                if isinstance(answer, KeptError):
                    line.set_exception(answer)
                else:
                    line.set_result(answer)


def app(witness: Witness) -> Starlette:
    """The application that serves `witness`."""

    async def add_checkpoint(request: Request) -> Response:
        return PlainTextResponse(await witness.add_checkpoint(await _body(request)))

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
