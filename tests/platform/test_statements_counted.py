"""A statement count is an interface: what a look, a correction and a new record ask of PostgreSQL, counted on the wire.

Warm: everything is prepared and every key is in memory. Cold: the first that a process does for this person. Whoever adds a
statement or a round trip sees it here, and takes another one away or says in docs/decisions/ why it is worth it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from services.customers.base import TABLES
from services.customers.records import api
from services.customers.settings import CustomersSettings
from shared.access.actor import Actor
from shared.access.tokens import TokenVerifier
from shared.http.app import create_app
from shared.service import Ground, ground
from tests.support.customers import tools_of
from tests.support.platform import Platform
from tests.support.staff import signed_in
from tests.support.wire import Count, counted

pytestmark = pytest.mark.platform
PAGE = 50
# What -> (cold, warm), each (round trips, statements). A statement is prepared, on each connection, in a round trip of its own.
EXPECTED = {
    "get": ((2, 1), (1, 1)),
    "list": ((2, 1), (1, 1)),
    "search": ((2, 1), (1, 1)),
    # psycopg puts a Sync behind its BEGIN and goes on: it is counted, and nobody waits for it.
    "patch": ((3, 5), (3, 5)),  # BEGIN and the row; UPDATE, both events together and COMMIT
    "create": ((5, 11), (5, 11)),  # BEGIN and the claim; forgotten? and the owner; the key; record, event and COMMIT
}


class Known(TokenVerifier):
    """Whoever comes is this actor: tokens are not what is measured."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    async def verify(self, token: str) -> Actor:
        return self._actor


@dataclass
class Counted:
    """The service's routes, in this process, on a database that counts."""

    http: httpx.AsyncClient
    count: Count
    base: Ground

    async def of(self, ask: Callable[[], Awaitable[httpx.Response]]) -> tuple[int, int]:
        """(round trips, statements) of one request."""
        self.count.clear()
        answer = await ask()
        assert answer.is_success, answer.text
        return self.count.trips, self.count.statements


@asynccontextmanager
async def _nothing(app: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def customers(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counted]:
    env = platform.environment("customers")
    with signed_in(platform, "jane") as jane:
        me = jane.get("/api/identity/me").json()
    actor = Actor(me["id"], "user", frozenset(me["roles"]), frozenset(me["team"]))
    async with counted(env["KEPT_DATABASE_HOST"], int(env["KEPT_DATABASE_PORT"])) as (port, count):
        for name, value in {**env, "KEPT_DATABASE_PORT": str(port)}.items():
            monkeypatch.setenv(name, value)
        settings = CustomersSettings()
        base = await ground(settings, TABLES, migrated=True)
        tools = tools_of(base.vault)
        routers = [api.router(base.door, tools, PAGE)]
        app = create_app(
            service="customers", settings=settings, verifier=Known(actor), routers=routers, lifespan=_nothing, readiness={}
        )
        headers = {"Authorization": "Bearer x"}
        origin = f"http://127.0.0.1:{settings.http_port}"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=origin, headers=headers) as http:
            yield Counted(http, count, base)
        await base.door.close()


async def test_a_look_and_a_change_ask_no_more_of_the_database_than_they_did(customers: Counted) -> None:
    http = customers.http
    made = (await http.post("/api/customers", json={"fields": somebody()})).json()
    path, changes = f"/api/customers/{made['id']}", iter(range(100))

    def get() -> Awaitable[httpx.Response]:
        return http.get(path)

    def listed() -> Awaitable[httpx.Response]:
        return http.get("/api/customers")

    def searched() -> Awaitable[httpx.Response]:
        return http.post("/api/customers/search", json={"email": "nobody@example.org"})

    def patched() -> Awaitable[httpx.Response]:
        n = next(changes)
        return http.patch(path, json={"fields": {"city": f"Town {n}"}}, headers={"If-Match": f'"{n + 1}"'})

    def created() -> Awaitable[httpx.Response]:
        return http.post("/api/customers", json={"fields": somebody()}, headers={"Idempotency-Key": f'"{uuid4()}"'})

    for name, ask in (("get", get), ("list", listed), ("search", searched), ("patch", patched), ("create", created)):
        cold, *_, warm = [await customers.of(ask) for _ in range(8)]
        assert (cold, warm) == EXPECTED[name], (name, customers.count.said)


def somebody() -> dict[str, str]:
    return {"first_name": "Made", "last_name": "Up", "email": f"new.{uuid4().hex}@example.org", "city": "Town"}
