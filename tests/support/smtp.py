"""A real SMTP server in this process that remembers who was written to, and refuses what it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP

from shared.settings import ServiceSettings


@dataclass
class Box:
    """`answers`: what is said to RCPT TO for an address; `at_data`: what is said, or done, when a mail is handed over."""

    port: int = 0
    senders: list[str] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    at_data: str = ""
    slow: float = 0.0
    handed: int = 0  # mails handed over, taken or not

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 yes"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.handed += 1
        await asyncio.sleep(self.slow)
        if self.at_data:
            return self.at_data
        self.senders.append(envelope.mail_from)
        self.recipients.append(list(envelope.rcpt_tos))
        self.contents.append(envelope.content)
        return "250 taken"

    @property
    def to(self) -> list[str]:
        """Every recipient of every mail."""
        return [one for many in self.recipients for one in many]

    def settings(self, **more: Any) -> ServiceSettings:
        return ServiceSettings(service="customers", smtp_host="127.0.0.1", smtp_port=self.port, **more)


@asynccontextmanager
async def mailbox(*, utf8: bool = True, **more: Any) -> AsyncIterator[Box]:
    """`more`: what else aiosmtpd's SMTP takes, such as a TLS context and who may sign in."""
    box, loop = Box(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, enable_SMTPUTF8=utf8, loop=loop, **more), "127.0.0.1", 0)
    async with server:
        box.port = server.sockets[0].getsockname()[1]
        yield box
