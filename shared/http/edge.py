"""What every request passes before and after its route; pure ASGI, so that streams stay streams.

Outermost first: span and metrics; the last net for defects; security headers; body limit; the Origin check (CSRF).
"""

import logging
import time
from collections.abc import Mapping

from fastapi import Request
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.errors import KeptError, NotAllowedError, TooLargeError
from shared.http import problem
from shared.http.pages import remembered

log = logging.getLogger("kept.http")
BODY_BYTES_MAX = 1024 * 1024  # a route that takes more (an import) names its own limit in `body_limits`
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


class Metrics:
    """Request counts and seconds in Prometheus' text format. Labels are route patterns and statuses, never values."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._requests: dict[tuple[str, str, int], tuple[int, float]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        n, total = self._requests.get((method, route, status), (0, 0.0))
        self._requests[method, route, status] = (n + 1, total + seconds)

    def text(self) -> str:
        counts, times = [], []
        for (method, route, status), (n, seconds) in sorted(self._requests.items()):
            labels = f'service="{self._service}",method="{method}",route="{route}",status="{status}"'
            counts.append(f"kept_http_requests_total{{{labels}}} {n}")
            times.append(f"kept_http_seconds_total{{{labels}}} {seconds:.6f}")
        lines = ["# TYPE kept_http_requests_total counter", *counts, "# TYPE kept_http_seconds_total counter", *times]
        return "\n".join(lines) + "\n"


class Edge:
    """The middleware. `body_limits`: path -> bytes, where it is not BODY_BYTES_MAX."""

    def __init__(self, app: ASGIApp, service: str, origin: str, body_limits: Mapping[str, int], metrics: Metrics) -> None:
        self._app = app
        self._service = service
        self._origin = origin
        self._limits = body_limits
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"] if scope["method"] in METHODS else "OTHER"  # a label has few values
        limit = self._limits.get(scope["path"], BODY_BYTES_MAX)
        begun, status = time.perf_counter(), 0

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                have = {name.lower() for name, _ in message["headers"]}
                added = [*((n, v) for n, v in HEADERS if n not in have), *remembered(scope["query_string"])]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        with telemetry.span(
            f"{method} {self._service}",
            kind=SpanKind.SERVER,
            parent=headers.get("traceparent"),
            attributes={"http.request.method": method},
        ) as at:
            try:
                refused = self._refusal(method, headers, limit)
                if refused is not None:
                    await _answer(scope, refused)(scope, receive, headed)
                else:
                    await self._app(scope, _counted(receive, limit), headed)
            except Exception as error:  # a defect: logged by type and place; the text may hold a value
                log.error("defect", exc_info=error)
                if status:
                    raise  # half an answer is out: the connection must break, so that nobody takes it for a whole one
                await _answer(scope, KeptError("Something is wrong on our side."))(scope, receive, headed)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                at.update_name(f"{method} {route}")
                at.set_attribute("http.route", route)  # the pattern, never the path: a path may carry an id
                at.set_attribute("http.response.status_code", status)
                if status >= 500:
                    at.set_status(Status(StatusCode.ERROR))
                self._metrics.count(method, route, status, time.perf_counter() - begun)

    def _refusal(self, method: str, headers: Mapping[str, str], limit: int) -> KeptError | None:
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > limit:
            return TooLargeError(f"the body is over its limit of {limit} bytes")
        if method in ("GET", "HEAD", "OPTIONS") or headers.get("authorization", "").lower().startswith("bearer "):
            return None
        # A browser says where a form was sent from, and no page can change what it says. Programs say nothing, and hold no
        # cookie that another site could make them send.
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            foreign = site not in ("same-origin", "none")
        else:
            foreign = origin is not None and origin not in (self._origin, *_own(headers.get("host", "")))
        return NotAllowedError("the request comes from another site") if foreign else None


def _own(host: str) -> tuple[str, ...]:
    return (f"http://{host}", f"https://{host}") if host else ()


def _answer(scope: Scope, error: KeptError) -> ASGIApp:
    return problem.answer(Request(scope), error.status, error.code, error.detail)


def _counted(receive: Receive, limit: int) -> Receive:
    """`receive` that refuses a body over `limit`, also one that comes in chunks and does not tell its length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise TooLargeError(f"the body is over its limit of {limit} bytes")
        return message

    return counted
