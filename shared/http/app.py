"""The HTTP side of a service: one factory, so that all five answer alike.

What every request passes, outermost first: span and metrics; body limit; security headers; the Origin check for requests
that a cookie authenticates (CSRF); the route; errors as RFC 9457 (shared/http/problem.py).
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.access.actor import Actor
from shared.access.tokens import TokenVerifier
from shared.errors import KeptError, NotAllowedError, TooLargeError, UnauthenticatedError
from shared.http import problem
from shared.http.pages import STYLE
from shared.settings import ServiceSettings

log = logging.getLogger("kept.http")
BODY_BYTES_MAX = 1024 * 1024  # a route that takes more (an import) names its own limit in `body_limits`
COOKIE = "kept_session"
Ready = Callable[[], Awaitable[bool]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        b"base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class Edge:
    """What every request passes before and after its route; pure ASGI, so that streams stay streams."""

    def __init__(
        self, app: ASGIApp, service: str, origin: str, body_limits: Mapping[str, int], metrics: "Metrics"
    ) -> None:
        self._app = app
        self._service = service
        self._origin = origin
        self._limits = body_limits
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        parent = headers.get(b"traceparent", b"").decode("latin-1") or None
        started, status = time.perf_counter(), 500
        limit = self._limits.get(scope["path"], BODY_BYTES_MAX)
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    raise TooLargeError(f"the body is over its limit of {limit} bytes")
            return message

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                have = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *((n, v) for n, v in HEADERS if n not in have)]
            await send(message)

        name = f"{scope['method']} {self._service}"
        with telemetry.span(
            name, kind=SpanKind.SERVER, parent=parent, attributes={"http.request.method": scope["method"]}
        ) as at:
            refused = self._refusal(scope, headers, limit)
            if refused is not None:
                await problem.answer(Request(scope), refused.status, refused.code, refused.detail)(
                    scope, receive, headed
                )
            else:
                await self._app(scope, counted, headed)
            route = getattr(scope.get("route"), "path", "unmatched")
            at.update_name(f"{scope['method']} {route}")
            at.set_attribute("http.route", route)  # the pattern, never the path: a path may carry an id
            at.set_attribute("http.response.status_code", status)
            self._metrics.count(scope["method"], route, status, time.perf_counter() - started)

    def _refusal(self, scope: Scope, headers: Mapping[bytes, bytes], limit: int) -> KeptError | None:
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            return TooLargeError(f"the body is over its limit of {limit} bytes")
        if scope["method"] in ("GET", "HEAD", "OPTIONS") or b"authorization" in headers:
            return None
        origin = headers.get(b"origin", b"").decode("latin-1")
        if (
            headers.get(b"cookie")
            and origin
            and not _same_origin(origin, self._origin, headers.get(b"host", b"").decode())
        ):
            return NotAllowedError("the request comes from another site")
        return None


def _same_origin(origin: str, public: str, host: str) -> bool:
    return origin == public or urlsplit(origin).netloc == host


class Metrics:
    """Request counts and seconds in Prometheus' text format. Labels are route patterns and statuses, never values."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._requests: dict[tuple[str, str, int], tuple[int, float]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        n, total = self._requests.get((method, route, status), (0, 0.0))
        self._requests[method, route, status] = (n + 1, total + seconds)

    def text(self) -> str:
        lines = ["# TYPE kept_http_requests_total counter", "# TYPE kept_http_seconds_total counter"]
        for (method, route, status), (n, seconds) in sorted(self._requests.items()):
            labels = f'service="{self._service}",method="{method}",route="{route}",status="{status}"'
            lines += [f"kept_http_requests_total{{{labels}}} {n}", f"kept_http_seconds_total{{{labels}}} {seconds:.6f}"]
        return "\n".join(lines) + "\n"


def create_app(
    *,
    service: str,
    settings: ServiceSettings,
    verifier: TokenVerifier,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    readiness: Mapping[str, Ready],
    body_limits: Mapping[str, int] | None = None,
) -> FastAPI:
    """The service's application. `readiness` names each part it waits for; `body_limits`: path -> bytes."""

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            yield

    app = FastAPI(
        title=f"Kept {service}",
        version="0.1.0",
        lifespan=living,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"/api/{service}/openapi.json",
    )
    app.state.verifier = verifier
    metrics = Metrics(service)
    problem.install(app)
    app.add_middleware(
        Edge, service=service, origin=settings.public_origin, body_limits=body_limits or {}, metrics=metrics
    )
    for router in routers:
        app.include_router(router)
    app.include_router(_house(readiness, metrics))
    return app


def _house(readiness: Mapping[str, Ready], metrics: Metrics) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        waits = [name for name, ready in readiness.items() if not await _asked(ready)]
        body: dict[str, Any] = {"ready": not waits, "waits_for": waits}
        return JSONResponse(body, status_code=503 if waits else 200)

    @routes.get("/metrics")
    async def measured() -> PlainTextResponse:
        return PlainTextResponse(metrics.text())

    @routes.get("/style.css")
    async def style() -> Response:
        return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})

    return routes


async def _asked(ready: Ready) -> bool:
    try:
        return await ready()
    except Exception:  # a part that cannot even be asked is not ready
        return False


async def optional_actor(request: Request) -> Actor | None:
    """The actor of the bearer token or session cookie; None without either. UnauthenticatedError for a bad one."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE)
    if not token:
        return None
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(token)


async def current_actor(actor: Annotated[Actor | None, Depends(optional_actor)]) -> Actor:
    """The actor, or UnauthenticatedError."""
    if actor is None:
        raise UnauthenticatedError()
    return actor


CurrentActor = Annotated[Actor, Depends(current_actor)]
