"""One origin for everything: http://localhost:8080, by path, nothing rewritten. It keeps no log of who asked for what."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deploy.local import ports as port_file
from deploy.local.state import State

# The longest prefix wins. A prefix covers itself and what follows it after a "/".
ROUTES: Mapping[str, str] = {
    "/signin": "identity",
    "/signout": "identity",
    "/account": "identity",
    "/approvals": "identity",
    "/api/identity": "identity",
    "/.well-known/jwks.json": "identity",
    "/customers": "customers",
    "/api/customers": "customers",
    "/audit": "audit",
    "/api/audit": "audit",
    "/log": "audit",
    "/backups": "backup",
    "/api/backup": "backup",
    "/requests": "dsar",
    "/desk": "dsar",
    "/api/dsar": "dsar",
    "/style.css": "dsar",
    "/mail": "mail",
    "/mail.json": "mail",
}
# RFC 9110, 7.6.1: they speak of one connection only.
HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ANSWER_SECONDS_MAX = 120.0  # a drill or a large import may take its time


def target(path: str) -> str | None:
    """Which part serves a path; None: nobody."""
    if path == "/":
        return "dsar"
    while path:
        if path in ROUTES:
            return ROUTES[path]
        path = path.rpartition("/")[0]
    return None


def _problem(status: int, title: str, **headers: str) -> Response:
    body = {"type": "about:blank", "title": title, "status": status}
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")


def _headers(pairs: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    named = {token.strip().lower() for name, value in pairs if name.lower() == b"connection" for token in value.split(b",")}
    gone = {name.encode() for name in HOP_BY_HOP} | named
    return [(name, value) for name, value in pairs if name.lower() not in gone]


class Gateway:
    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = ports
        # A client remembers cookies by default, and would give one visitor's session to all others.
        forgetful = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx.AsyncClient(
            cookies=forgetful, timeout=httpx.Timeout(ANSWER_SECONDS_MAX, connect=3.0), trust_env=False, follow_redirects=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def readyz(self, _: Request) -> Response:
        return JSONResponse({"ready": True, "waits_for": []})

    async def pass_on(self, request: Request) -> Response:
        name = target(request.scope["path"])
        if name is None:
            return _problem(404, "There is no such page")
        raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        url = httpx.URL(
            scheme="http", host="127.0.0.1", port=self._ports[name],
            raw_path=raw_path + (b"?" + request.scope["query_string"] if request.scope["query_string"] else b""),
        )  # fmt: skip
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        onward = self._http.build_request(
            request.method, url, headers=_headers(request.headers.raw), content=request.stream() if has_body else None
        )
        try:
            answer = await self._http.send(onward, stream=True)
        except httpx.ConnectError:
            return _problem(503, f"{name} is starting or away", **{"Retry-After": "3"})
        except httpx.TimeoutException:
            return _problem(504, f"{name} did not answer in time")
        except httpx.TransportError:
            return _problem(502, f"{name} broke off", **{"Retry-After": "3"})
        passed = StreamingResponse(answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose))
        passed.raw_headers = _headers([(name.lower(), value) for name, value in answer.headers.raw])
        return passed


def application(ports: Mapping[str, int]) -> Starlette:
    gateway = Gateway(ports)

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        yield
        await gateway.close()

    routes = [Route("/gateway/readyz", gateway.readyz), Route("/{path:path}", gateway.pass_on, methods=METHODS)]
    return Starlette(routes=routes, lifespan=living)


def main() -> int:
    ports = port_file.load(State.find())
    uvicorn.run(
        application(ports), host="127.0.0.1", port=ports["gateway"], access_log=False, log_level="warning",
        server_header=False, date_header=False, timeout_graceful_shutdown=5,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
