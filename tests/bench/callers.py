"""Clients that cost little, because they share the cores with what they measure: one connection each, a request at a time."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "


class Caller(asyncio.Protocol):
    """One connection, kept. An answer has a Content-Length."""

    def __init__(self) -> None:
        self._got = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def to(cls, port: int) -> "Caller":
        _, made = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed"))

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Status and body."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(_END)
        if end < 0:
            return
        at = self._got.lower().find(_LENGTH, 0, end + 2)
        if at < 0:
            raise ValueError("an answer without a length")
        at += len(_LENGTH)
        whole = end + len(_END) + int(self._got[at : self._got.find(b"\r", at)])
        if len(self._got) >= whole and self._answer is not None:
            status, body = int(self._got[9:12]), bytes(self._got[end + len(_END) : whole])
            del self._got[:whole]
            self._answer.set_result((status, body))


def request(method: str, path: str, port: int, body: object = None, **headers: str) -> bytes:
    """The bytes of one; `_` in a header's name is `-`."""
    raw = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"host: localhost:{port}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(raw)}"]
    return "\r\n".join([*lines, "", ""]).encode() + raw


@dataclass
class Taken:
    """What slices of one kind took."""

    waits: list[float] = field(default_factory=list)
    seconds: float = 0.0
    postgres: float = 0.0
    service: float = 0.0

    def quantile(self, share: float) -> float:
        return sorted(self.waits)[int(len(self.waits) * share)]

    @property
    def rate(self) -> float:
        return len(self.waits) / self.seconds

    def cpu_ms(self, of: float) -> float:
        return 1000 * of / len(self.waits)


class Client:
    """Somebody who asks again and again. `ask`: one request and what to do with the answer's body."""

    def __init__(self, port: int, status: int, ask: Callable[[], bytes], done: Callable[[Any], None]) -> None:
        self._port, self._status, self._ask, self._done = port, status, ask, done
        self._caller: Caller | None = None

    async def run(self, until: float, taken: Taken) -> None:
        if self._caller is None:
            self._caller = await Caller.to(self._port)
        while (began := time.perf_counter()) < until:
            status, body = await self._caller.ask(self._ask())
            taken.waits.append(time.perf_counter() - began)
            if status != self._status:
                raise AssertionError(f"answered {status}: {body[:300]!r}")
            self._done(body)

    def close(self) -> None:
        if self._caller is not None:
            self._caller.close()
            self._caller = None


async def together(clients: list[Client], seconds: float, taken: Taken) -> None:
    """All of them at once, for so long."""
    began = time.perf_counter()
    work: list[Awaitable[None]] = [one.run(began + seconds, taken) for one in clients]
    await asyncio.gather(*work)
    taken.seconds += time.perf_counter() - began
