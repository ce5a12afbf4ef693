"""The local mail catcher: real SMTP in, messages in memory only, a page at /mail. Nothing reaches the disk.

GET /mail           the page
GET /mail.json      [{"to", "subject", "text", "time"}], newest first; ?to= one address
GET /mail.css       how it looks: the gateway's headers allow no style inside a page
"""

import asyncio
import email
import email.policy
import html
import os
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import uvicorn
from aiosmtpd.controller import Controller
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared.http.limits import IDLE_SECONDS_MAX

MESSAGES_MAX = 200  # older ones are forgotten
MESSAGE_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True)
class Mail:
    to: str
    subject: str
    text: str
    time: str


class Box:
    """aiosmtpd's handler: takes every message for every address."""

    def __init__(self) -> None:
        self.mails: deque[Mail] = deque(maxlen=MESSAGES_MAX)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = message.get_body(preferencelist=("plain", "html"))
        text = str(body.get_content()) if body else ""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for recipient in envelope.rcpt_tos:
            self.mails.appendleft(Mail(str(recipient), str(message["subject"] or ""), text, now))
        return "250 kept until the next restart"


STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 44rem; padding: 1rem; color: #1c2330; }
h1 { font-size: 1.4rem } article { border-top: 1px solid #ccd; padding: .75rem 0 }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between }
pre { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0 0 }
small { color: #5a6473 }
"""


def page(mails: list[Mail]) -> str:
    items = "".join(
        f"<article><header><b>{html.escape(mail.subject)}</b><small>{html.escape(mail.to)} · {mail.time}</small></header>"
        f"<pre>{html.escape(mail.text)}</pre></article>"
        for mail in mails
    )
    empty = "<p>No mail yet. Ask for a code on the front page, and it arrives here.</p>"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>Mail · Kept</title><link rel=stylesheet href=/mail.css><main><h1>Mail that Kept sent</h1>"
        "<p><small>This machine delivers no mail: it shows it here, from memory, until the next restart.</small></p>"
        f"{items or empty}</main>"
    )


def application(box: Box) -> Starlette:
    async def show(_: Request) -> Response:
        return HTMLResponse(page(list(box.mails)), headers={"Cache-Control": "no-store"})

    async def as_json(request: Request) -> Response:
        to = request.query_params.get("to")
        mails = [asdict(mail) for mail in box.mails if to is None or mail.to.lower() == to.lower()]
        return JSONResponse(mails, headers={"Cache-Control": "no-store"})

    async def style(_: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    async def readyz(_: Request) -> Response:
        return JSONResponse({"ready": True, "waits_for": []})

    routes = [Route("/mail", show), Route("/mail.json", as_json), Route("/mail.css", style), Route("/readyz", readyz)]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # it would build its answer from `Host`
    return app


async def main() -> None:
    box = Box()
    smtp = Controller(box, hostname="127.0.0.1", port=int(os.environ["KEPT_SMTP_PORT"]), data_size_limit=MESSAGE_BYTES_MAX)
    smtp.start()
    try:
        port = int(os.environ["KEPT_MAIL_PORT"])
        config = uvicorn.Config(
            application(box), host="127.0.0.1", port=port, access_log=False, log_level="warning", server_header=False,
            proxy_headers=False, timeout_keep_alive=IDLE_SECONDS_MAX,
        )  # fmt: skip
        await uvicorn.Server(config).serve()
    finally:
        smtp.stop()


if __name__ == "__main__":
    asyncio.run(main())
