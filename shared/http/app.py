"""The HTTP side of a service: one factory, so that all five answer alike.

What every request passes stands in shared/http/edge.py; errors become RFC 9457 answers in shared/http/problem.py.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.telemetry import TelemetryConfig

from shared import metrics
from shared.access.actor import Actor
from shared.access.tokens import TokenVerifier
from shared.errors import UnauthenticatedError
from shared.gauges import Gauge, Gauges, text_of
from shared.http import problem
from shared.http.edge import Edge
from shared.http.pages import STYLE
from shared.http.readiness import SECONDS_MAX, Readiness, Ready, Stopping
from shared.leader import standing_by
from shared.settings import ServiceSettings

log = logging.getLogger("kept.http")
COOKIE = "kept_session"
# FastAPI's own spans and log records carry paths, queries and the texts of exceptions: values of people (P1). Ours are
# made in shared/http/edge.py.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Counted = Callable[[], Awaitable[Mapping[str, int]]]  # loop -> items that it could not do


def create_app(
    *,
    service: str,
    settings: ServiceSettings,
    verifier: TokenVerifier,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    readiness: Mapping[str, Ready],
    later: Mapping[str, Ready] | None = None,
    body_limits: Mapping[str, int] | None = None,
    gauges: Gauges | None = None,
    set_aside: Counted | None = None,
) -> FastAPI:
    """The service's application.

    `readiness` names each part without which it answers nobody; `later`, each that only what it does behind its answers waits
    for. `body_limits`: path -> bytes; `gauges`: what the service measures of itself; `set_aside`: what its loops could not do.
    """

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            yield

    app = FastAPI(
        responses=problem.DOCUMENTED,
        title=f"Kept {service}",
        version="0.1.0",
        lifespan=living,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"/api/{service}/openapi.json",
        telemetry=NO_TELEMETRY,
    )
    app.state.verifier = verifier
    app.state.session_cookie = session_cookie(secure=settings.public_origin.startswith("https:"))
    problem.install(app)
    app.router.redirect_slashes = False  # it would build its answer from `Host`
    app.add_middleware(Edge, settings=settings, body_limits=body_limits or {})
    for router in routers:
        app.include_router(router)
    app.include_router(_house(service, Readiness(readiness, later), gauges, set_aside))
    return app


def _house(service: str, readiness: Readiness, gauges: Gauges | None, set_aside: Counted | None) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        waits = await readiness.waits_for()
        ready = readiness.serves(waits) and not Stopping.begun
        body: dict[str, Any] = {"ready": ready, "waits_for": waits}
        if Stopping.begun:
            body["stopping"] = True
        if duties := standing_by():
            body["stands_by"] = duties
        if set_aside is not None and (counts := await _counted(set_aside)):
            body["set_aside"] = counts
        return JSONResponse(body, status_code=200 if ready else 503)

    @routes.get("/metrics")
    async def measured() -> PlainTextResponse:
        waits = await readiness.waits_for()
        ready = {name: int(name not in waits) for name in readiness.parts}
        parts = [Gauge("kept_part_ready", {"service": service, "part": name}, one) for name, one in ready.items()]
        return PlainTextResponse(metrics.text() + text_of(parts) + await _measured(gauges))

    @routes.get("/style.css")
    async def style() -> Response:
        return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})

    return routes


async def _counted(set_aside: Counted) -> Mapping[str, int]:
    """Empty where it cannot be counted: what the database waits for is said already."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await set_aside()
    except Exception:
        return {}


async def _measured(gauges: Gauges | None) -> str:
    """`kept_gauges_up` says whether they could be measured: a gauge that is missing must not look like a zero."""
    if gauges is None:
        return ""
    try:
        found = [*await gauges(), Gauge("kept_gauges_up", {}, 1)]
    except Exception as error:  # what cannot be measured must not hide the rest
        log.warning("the gauges cannot be measured: %s", type(error).__name__)
        found = [Gauge("kept_gauges_up", {}, 0)]
    return text_of(found)


_SCHEME: dict[str, Any] = {
    "auto_error": False,
    "scheme_name": "token",
    "description": "of `POST /api/identity/sessions`",
}
Documented = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(**_SCHEME))]


def session_cookie(*, secure: bool) -> str:
    """The cookie's name: over https one that no other host of the domain can set (RFC 6265bis, `__Host-`)."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def token_of(request: Request) -> str | None:
    """The bearer token, else the session cookie; None without either."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else request.cookies.get(request.app.state.session_cookie)


async def optional_actor(request: Request) -> Actor | None:
    """The actor of the bearer token or session cookie; None without either. UnauthenticatedError for a bad one."""
    token = token_of(request)
    if not token:
        return None
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(token)


class _Signed(HTTPBearer):
    """What a route asks for, and what OpenAPI says of it, in one: each dependency more costs every request."""

    async def __call__(self, request: Request) -> Actor:  # type: ignore[override]  # FastAPI's own gives the bare token
        """The actor, or UnauthenticatedError."""
        actor = await optional_actor(request)
        if actor is None:
            raise UnauthenticatedError()
        return actor


CurrentActor = Annotated[Actor, Depends(_Signed(**_SCHEME))]
