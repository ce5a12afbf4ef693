"""Every service answers alike: problems, limits, headers, who asks, where from. No sockets: ASGI in this process."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError, ProgrammingError

from shared.access.actor import Actor
from shared.access.tokens import TokenVerifier
from shared.clock import SystemClock
from shared.errors import ConflictError, InvalidInputError, NotFoundError, TamperError, UnauthenticatedError, UnavailableError
from shared.http.app import CurrentActor, create_app
from shared.http.readiness import Ready, Stopping
from shared.settings import ServiceSettings

SECRET = "luisg@embraer.com.br"


class Verifier(TokenVerifier):
    def __init__(self) -> None:
        super().__init__("http://nowhere.invalid", "kept", SystemClock())

    async def verify(self, token: str) -> Actor:
        if token != "good":
            raise UnauthenticatedError("the token is not valid")
        return Actor("sub_jane", "user")


class Body(BaseModel):
    name: str = Field(max_length=5)


routes = APIRouter()


@routes.get("/api/demo/me")
async def me(actor: CurrentActor) -> dict[str, str]:
    return {"id": actor.id}


@routes.get("/page")
async def page(actor: CurrentActor) -> dict[str, str]:
    return {"id": actor.id}


@routes.post("/api/demo/things")
async def things(body: Body) -> dict[str, str]:
    return {"name": body.name}


@routes.post("/api/demo/imports")
async def imports(body: Body) -> dict[str, str]:
    return {"name": body.name}


@routes.get("/api/demo/things/{id}")
async def thing(id: str) -> dict[str, str]:
    match id:
        case "missing":
            raise NotFoundError
        case "conflict":
            raise ConflictError("it was closed already")
        case "field":
            raise InvalidInputError("phone: not a phone number", field="phone")
        case "away":
            raise UnavailableError("the key service is sealed or away", retry_after=7)
        case "tampered":
            raise TamperError(SECRET)
        case "defect":
            raise RuntimeError(SECRET)
        case "database":
            raise OperationalError("SELECT 1", {"email": SECRET}, Exception(SECRET))
        case "sql":
            raise ProgrammingError("SELECT 1", {"email": SECRET}, Exception(SECRET))
    return {"id": id}


async def _yes() -> bool:
    return True


async def _broken() -> bool:
    raise RuntimeError


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield


def made(vault: Ready = _yes, bus: Ready = _yes) -> FastAPI:
    return create_app(
        service="demo",
        settings=ServiceSettings(service="demo", public_origin="https://kept.example"),
        verifier=Verifier(),
        routers=[routes],
        lifespan=_lifespan,
        readiness={"vault": vault},
        later={"bus": bus},
        body_limits={"/api/demo/imports": 3 * 1024 * 1024},
    )


@pytest.fixture
def app() -> FastAPI:
    return made()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="https://kept.example") as made:
        yield made


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("things/missing", 404, "not-found"),
        ("nothing", 404, "not-found"),
        ("things/conflict", 409, "conflict"),
        ("things/field", 422, "invalid-input"),
        ("things/away", 503, "unavailable"),
        ("things/tampered", 500, "tampered"),
        ("things/defect", 500, "internal"),
        ("things/database", 503, "unavailable"),
        ("things/sql", 500, "internal"),
        ("me", 401, "unauthenticated"),
    ],
)
async def test_every_error_is_a_problem_without_values(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, path: str, status: int, code: str
) -> None:
    answer = await client.get(f"/api/demo/{path}")
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"].endswith(code) and body["title"] and body["detail"]
    assert SECRET not in answer.text
    assert not any(SECRET in record.getMessage() for record in caplog.records)
    assert "content-security-policy" in answer.headers  # also on the worst of them


async def test_problems_carry_what_helps(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/demo/things/away")).headers["retry-after"] == "7"
    assert (await client.get("/api/demo/things/field")).json()["field"] == "phone"
    refused = await client.post("/api/demo/things", json={"name": "too long a name"})
    assert (refused.status_code, refused.json()["field"]) == (422, "name")
    allowed = await client.put("/api/demo/things", json={})
    assert (allowed.status_code, allowed.headers["allow"]) == (405, "POST")


async def test_a_browser_gets_pages_in_its_language_and_is_sent_to_sign_in(client: httpx.AsyncClient) -> None:
    html = {"accept": "text/html"}
    gone = await client.get("/nowhere", headers={**html, "accept-language": "zh-CN,en;q=0.5"})
    assert (gone.status_code, gone.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert 'lang="zh"' in gone.text and "返回首页" in gone.text
    sent = await client.get("/page", headers=html)
    assert (sent.status_code, sent.headers["location"]) == (303, "/signin?next=/page")
    assert (await client.get("/api/demo/me", headers=html)).status_code == 401  # an API stays an API


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 4 * 1024 * 1024])
@pytest.mark.parametrize("told", [True, False])
async def test_a_body_over_its_limit_is_refused_whether_or_not_it_tells_its_length(
    client: httpx.AsyncClient, size: int, told: bool
) -> None:
    body = b'{"name": "' + b"x" * size + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    headers = {"content-type": "application/json"}
    answer = await client.post("/api/demo/things", content=body if told else chunks(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


async def test_a_route_may_take_more(client: httpx.AsyncClient) -> None:
    body = b'{"name": "ab"' + b" " * (2 * 1024 * 1024) + b"}"
    answer = await client.post("/api/demo/imports", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert (await client.post("/api/demo/imports", content=body * 2)).status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"name": NaN}', b'{"name": 7}', b"[" * 100_000])
async def test_nonsense_is_a_422_or_400_never_a_500(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/api/demo/things", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)


async def test_a_token_or_a_cookie_says_who_asks(client: httpx.AsyncClient) -> None:
    for headers in ({"authorization": "Bearer good"}, {"authorization": "bearer good"}, {"cookie": "__Host-kept_session=good"}):
        assert (await client.get("/api/demo/me", headers=headers)).json() == {"id": "sub_jane"}
    for headers in (
        {"authorization": "Bearer bad"},
        {"authorization": "Basic good"},
        {"cookie": "__Host-kept_session=bad"},
        {},
    ):
        assert (await client.get("/api/demo/me", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"cookie": "__Host-kept_session=good", "origin": "https://evil.example"}, 403),
        ({"cookie": "__Host-kept_session=good", "origin": "null"}, 403),
        ({"cookie": "__Host-kept_session=good", "origin": "https://kept.example.evil.example"}, 403),
        ({"cookie": "__Host-kept_session=good", "sec-fetch-site": "cross-site"}, 403),
        ({"cookie": "__Host-kept_session=good", "sec-fetch-site": "same-site"}, 403),
        ({"cookie": "__Host-kept_session=good", "origin": "https://evil.example", "authorization": "Basic x"}, 403),
        ({"origin": "https://evil.example"}, 403),  # signing somebody in as somebody else is an attack too
        ({"cookie": "__Host-kept_session=good", "origin": "https://kept.example"}, 200),
        ({"cookie": "__Host-kept_session=good", "sec-fetch-site": "same-origin", "origin": "https://kept.example"}, 200),
        ({"cookie": "__Host-kept_session=good"}, 200),
        ({"authorization": "Bearer good", "origin": "https://other.example"}, 200),
    ],
)
async def test_forms_of_other_sites_are_refused(client: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    answer = await client.post("/api/demo/things", json={"name": "ab"}, headers=headers)
    assert answer.status_code == status


async def test_a_process_that_is_to_end_is_asked_no_more(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever spreads requests goes by the status; requests that come all the same are answered."""
    monkeypatch.setattr(Stopping, "begun", True)
    said = await client.get("/readyz")
    assert (said.status_code, said.json()) == (503, {"ready": False, "waits_for": [], "stopping": True})
    assert (await client.get("/livez")).status_code == 200


async def test_health_readiness_and_metrics(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {"ready": True, "waits_for": []}
    await client.get("/api/demo/things/sub_123")
    await client.request("BREW", "/api/demo/things/sub_123")
    text = (await client.get("/metrics")).text
    assert (
        'kept_http_request_seconds_count{method="GET",route="/api/demo/things/{id}",service="demo",status="200"} 1.0\n' in text
    )
    assert "sub_123" not in text and "BREW" not in text


@pytest.mark.parametrize(
    ("vault", "bus", "status", "waits"),
    [(_yes, _broken, 200, ["bus"]), (_broken, _yes, 503, ["vault"]), (_broken, _broken, 503, ["vault", "bus"])],
)
async def test_ready_means_that_it_answers(vault: Ready, bus: Ready, status: int, waits: list[str]) -> None:
    """Without the bus a service must not be taken out of rotation: writes commit, and are published later (P5)."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(made(vault, bus)), base_url="http://x") as waiting:
        answer, measured = await waiting.get("/readyz"), (await waiting.get("/metrics")).text
    assert (answer.status_code, answer.json()) == (status, {"ready": status == 200, "waits_for": waits})
    for part in ("vault", "bus"):
        assert f'kept_part_ready{{part="{part}",service="demo"}} {float(part not in waits)}\n' in measured


async def test_headers_keep_browsers_and_caches_careful(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/demo/things/x")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    style = await client.get("/style.css")
    assert style.headers["cache-control"].startswith("public") and style.headers["content-type"].startswith("text/css")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.getLogger("kept.http").propagate = True
    yield
