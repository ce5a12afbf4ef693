"""The plain twin: what the customers service would be without its promises. The same framework, server, server settings and
driver, the same columns in clear; nobody is asked who they are, nothing is decided, no event is written.

`python -m tests.bench.twin <port>`, with a libpq connection string in TWIN_DSN. `/bare/<id>` is a framework and a driver alone:
one row by its key, as JSON, without a model; it says whether the twin itself is slow.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse
from psycopg.rows import dict_row
from pydantic import BaseModel

from shared.db import POOL_SIZE
from shared.http.app import NO_TELEMETRY
from shared.http.connection import Connection
from shared.http.limits import HEADER_BYTES_MAX, IDLE_SECONDS_MAX
from shared.ids import new_id
from tests.bench.stock import FIELDS, TEAM

Database = psycopg.AsyncConnection[dict[str, Any]]
COLUMNS = ", ".join(("id", "version", "owner_id", *FIELDS))
MINE = "erased_at IS NULL AND owner_id = ANY(%s)"
GET = f"SELECT {COLUMNS} FROM twin.customers WHERE id = %s AND {MINE}"
LIST = f"SELECT {COLUMNS} FROM twin.customers WHERE {MINE} AND id > %s ORDER BY id LIMIT %s"
SEARCH = f"SELECT {COLUMNS} FROM twin.customers WHERE {MINE} AND email = %s ORDER BY id LIMIT 51"
PATCH = (
    f"UPDATE twin.customers SET city = %s, version = version + 1, updated_at = now() WHERE id = %s AND {MINE} "
    f"AND version = %s RETURNING {COLUMNS}"
)
CREATE = (
    f"INSERT INTO twin.customers (id, version, owner_id, created_at, updated_at, {', '.join(FIELDS)}) "
    f"VALUES (%s, 1, %s, now(), now(), {', '.join(['%s'] * len(FIELDS))}) RETURNING {COLUMNS}"
)


class Fields(BaseModel):
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    address: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    postal_code: str | None = None


class Customer(Fields):
    id: str
    version: int
    owner_id: str


class Page(BaseModel):
    items: list[Customer]
    next: str | None


class Search(BaseModel):
    email: str


class Change(BaseModel):
    city: str
    version: int


class Pool:
    """A few connections, as many as the service has; who finds none waits."""

    def __init__(self) -> None:
        self._free: asyncio.Queue[Database] = asyncio.Queue()

    async def open(self, dsn: str) -> None:
        for _ in range(2 * POOL_SIZE):
            await self._free.put(await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Database]:
        one = await self._free.get()
        try:
            yield one
        finally:
            self._free.put_nowait(one)

    async def all(self, query: str, *values: object) -> list[dict[str, Any]]:
        async with self.connection() as db:
            return await (await db.execute(query, values)).fetchall()


def build(dsn: str) -> FastAPI:
    pool = Pool()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await pool.open(dsn)
        yield

    app = FastAPI(lifespan=lifespan, telemetry=NO_TELEMETRY)

    @app.get("/bare/{customer_id}")
    async def bare(customer_id: str) -> JSONResponse:
        return JSONResponse((await pool.all(GET, customer_id, TEAM))[0])

    @app.get("/customers")
    async def listed(cursor: str = "", limit: int = 50) -> Page:
        found = await pool.all(LIST, TEAM, cursor, limit + 1)
        items = [Customer(**one) for one in found[:limit]]
        return Page(items=items, next=items[-1].id if len(found) > limit else None)

    @app.post("/customers/search")
    async def search(asked: Search) -> Page:
        return Page(items=[Customer(**one) for one in await pool.all(SEARCH, TEAM, asked.email)], next=None)

    @app.get("/customers/{customer_id}")
    async def view(customer_id: str) -> Customer:
        return _one(await pool.all(GET, customer_id, TEAM))

    @app.patch("/customers/{customer_id}")
    async def correct(customer_id: str, change: Change) -> Customer:
        return _one(await pool.all(PATCH, change.city, customer_id, TEAM, change.version))

    @app.post("/customers", status_code=201)
    async def create(new: Fields) -> Customer:
        return _one(await pool.all(CREATE, new_id("sub"), TEAM[0], *(getattr(new, name) for name in FIELDS)))

    return app


def _one(found: list[dict[str, Any]]) -> Customer:
    if not found:
        raise HTTPException(404)
    return Customer(**found[0])


async def serve(port: int) -> None:
    config = uvicorn.Config(
        build(os.environ["TWIN_DSN"]), host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False,
        http=Connection, proxy_headers=False, timeout_keep_alive=IDLE_SECONDS_MAX,
        h11_max_incomplete_event_size=2 * HEADER_BYTES_MAX,
    )  # fmt: skip
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
