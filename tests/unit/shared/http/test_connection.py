"""A connection without a request ends, at a service too: behind another proxy, or from inside."""

import asyncio

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from shared.http import connection
from shared.http.connection import Connection


async def test_a_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing at all, a drip, a body that goes on after its answer: all end. A request that takes its time does not."""
    monkeypatch.setattr(connection, "HEADER_SECONDS_MAX", 0.6)

    async def app(scope: object, receive: object, send: object) -> None:
        await asyncio.sleep(1.5)
        await PlainTextResponse("late but whole")(scope, receive, send)  # type: ignore[arg-type]  # as ASGI has it

    config = uvicorn.Config(app, port=0, http=Connection, log_config=None, lifespan="off")  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    async def ended(first: bytes, drip: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)

        async def drips() -> None:
            while drip:
                await asyncio.sleep(0.2)
                writer.write(drip)

        dripping = asyncio.create_task(drips())
        try:
            return await asyncio.wait_for(reader.read(), 30)
        except ConnectionError:
            return b""
        finally:
            dripping.cancel()
            writer.close()

    head = b"GET / HTTP/1.1\r\nHost: a\r\n"
    body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n"
    answers = await asyncio.gather(
        ended(b""),
        ended(head[:10], b"x"),
        ended(head + b"Connection: close\r\n\r\n"),
        ended(body, b"x"),
        ended(head + b"\r\n", head[:1]),
    )
    assert answers[:2] == [b"", b""]
    assert all(b"late but whole" in answer for answer in answers[2:]), answers
    server.should_exit = True
    await serving
