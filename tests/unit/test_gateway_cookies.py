"""The gateway passes cookies on and remembers none: what one visitor got, no other visitor sends."""

import asyncio

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deploy.local.gateway import Gateway


async def _shows_cookies(request: Request) -> Response:
    answer = PlainTextResponse(request.headers.get("cookie", ""))
    answer.set_cookie("kept_session", "secret-of-the-first-visitor")
    return answer


async def test_no_visitor_gets_anothers_cookie() -> None:
    gateway = Gateway({})
    behind = httpx.ASGITransport(app=Starlette(routes=[Route("/", _shows_cookies)]))
    gateway._http._transport = behind
    first = await gateway._http.get("http://127.0.0.1/")
    second = await gateway._http.get("http://127.0.0.1/")
    assert "set-cookie" in first.headers
    assert second.text == "", "the gateway sent the first visitor's cookie for the second"
    await asyncio.sleep(0)
    await gateway.close()
