"""What every request passes before and after its route; pure ASGI, so that streams stay streams.

Outermost first: span and metrics; the last net for defects; security headers; each source's share; our hosts and plain paths;
body limit and time; the Origin check (CSRF).
"""

import logging
import time
from collections.abc import Mapping
from contextlib import nullcontext

from fastapi import Request
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.errors import KeptError, NotAllowedError, TooLargeError, TooManyError, TooSlowError
from shared.http import problem
from shared.http.address import INSIDE, Address
from shared.http.admission import Admission
from shared.http.body import EnoughError, GoneError, in_time, unstalled
from shared.http.limits import BODY_BYTES_MAX
from shared.http.pages import remembered
from shared.http.source import SOURCE, Hops
from shared.metrics import requests_of
from shared.settings import ServiceSettings

log = logging.getLogger("kept.http")
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # Pages and answers hold personal data: no cache keeps them, unless a route says otherwise.
    (b"cache-control", b"no-store"),
]


class Edge:
    """The middleware. `body_limits`: path -> bytes, where it is not BODY_BYTES_MAX."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, body_limits: Mapping[str, int]) -> None:
        self._app = app
        self._service = settings.service
        self._address = Address(settings)
        self._hops = Hops.of(settings)
        self._limits = body_limits
        self._observe = requests_of(settings.service)
        self._admission = Admission()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"] if scope["method"] in METHODS else "OTHER"  # a label has few values
        source = self._hops.source(scope, headers)
        # HEAD is answered as GET, by the same route.
        inner: Scope = {**scope, "method": "GET" if method == "HEAD" else scope["method"]}
        inner["state"] = {**scope.get("state", {}), SOURCE: source}
        answer = Answer(unstalled(send), scope, head_only=method == "HEAD")
        begun = time.perf_counter()
        with telemetry.span(
            f"{method} {self._service}",
            kind=SpanKind.SERVER,
            parent=headers.get("traceparent"),
            attributes={"http.request.method": method},
        ) as at:
            try:
                limit = self._limits.get(scope["path"], BODY_BYTES_MAX)
                with self._admission.admitted(source) if scope["path"] not in INSIDE else nullcontext():
                    refused = self._refusal(scope, method, headers, limit)
                    if refused is not None:
                        await _refuse(refused, inner, receive, answer.send)
                    else:
                        await self._app(inner, in_time(receive, limit), answer.send)
            except TooManyError as error:  # of the admission: the application answers its own
                await _refuse(error, inner, receive, answer.send)
            except (EnoughError, GoneError, ClientDisconnect):
                pass  # the head of a stream was all that was asked for; nobody sends, or takes, the rest
            except Exception as error:  # a defect: logged by type and place; the text may hold a value
                log.error("defect", exc_info=error)
                if answer.status:
                    raise  # half an answer is out: the connection must break, so that nobody takes it for a whole one
                await _refuse(KeptError("Something is wrong on our side."), inner, receive, answer.send)
            finally:
                route = getattr(inner.get("route"), "path", "unmatched")
                at.update_name(f"{method} {route}")
                at.set_attribute("http.route", route)  # the pattern, never the path: a path may carry an id
                at.set_attribute("http.response.status_code", answer.status)
                if answer.status >= 500:
                    at.set_status(Status(StatusCode.ERROR))
                self._observe(method, route, answer.status, time.perf_counter() - begun)

    def _refusal(self, scope: Scope, method: str, headers: Mapping[str, str], limit: int) -> KeptError | None:
        if (refused := self._address.refusal(scope, headers)) is not None:
            return refused
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > limit:
            return TooLargeError(f"the body is over its limit of {limit} bytes")
        if method in ("GET", "HEAD", "OPTIONS") or headers.get("authorization", "").lower().startswith("bearer "):
            return None
        # A browser says where a form was sent from, and no page can change what it says. Programs say nothing, and hold no
        # cookie that another site could make them send.
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        foreign = site not in ("same-origin", "none") if site is not None else origin not in (None, *self._address.origins)
        return NotAllowedError("the request comes from another site") if foreign else None


class Answer:
    """An answer on its way: our headers are put on it, and of one to HEAD its body is taken off."""

    def __init__(self, send: Send, scope: Scope, *, head_only: bool) -> None:
        self.status = 0
        self._send, self._query, self._head_only = send, scope["query_string"], head_only
        self._done = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            have = {name.lower() for name, _ in message["headers"]}
            added = [*((n, v) for n, v in HEADERS if n not in have), *remembered(self._query)]
            closes = [(b"connection", b"close")] if self.status == TooSlowError.status else []
            await self._send({**message, "headers": [*message["headers"], *added, *closes]})
        elif not self._head_only:
            await self._send(message)
        elif not self._done:
            self._done = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body", False):
                raise EnoughError


async def _refuse(error: KeptError, scope: Scope, receive: Receive, send: Send) -> None:
    wait = error.retry_after if isinstance(error, TooManyError) else 0
    await problem.answer(Request(scope), error.status, error.code, error.detail, retry_after=wait)(scope, receive, send)
