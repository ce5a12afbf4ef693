"""PostgreSQL behind a proxy that counts: how often somebody waits for the server, and for how many statements.

It reads the frontend's own messages (PostgreSQL's documentation, 53.7): a simple Query or a Sync is a round trip, a Query or an
Execute is a statement. Whatever the client is, and whatever it says about itself, this is what went over the wire.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

SSL_REQUEST = 80_877_103


@dataclass
class Count:
    """Since the last `clear()`. `said`: the texts of the statements as they were first sent, for who wonders."""

    trips: int = 0
    statements: int = 0
    said: list[str] = field(default_factory=list)

    def clear(self) -> None:
        self.trips = self.statements = 0
        self.said.clear()

    def take(self, kind: bytes, body: bytes) -> None:
        self.trips += kind in (b"Q", b"S")
        self.statements += kind in (b"Q", b"E")
        if kind == b"Q":
            self.said.append(body.rstrip(b"\0").decode())
        elif kind == b"P":
            self.said.append(body.split(b"\0", 2)[1].decode())


@asynccontextmanager
async def counted(host: str, port: int) -> AsyncIterator[tuple[int, Count]]:
    """The port to connect to instead, and the count."""
    count, tasks = Count(), set[asyncio.Task[None]]()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, port)
        both = [asyncio.create_task(_asked(reader, back, count)), asyncio.create_task(_answered(there, writer))]
        tasks.update(both)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (writer, back):
                one.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], count
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _asked(reader: asyncio.StreamReader, back: asyncio.StreamWriter, count: Count) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        begun = False
        while True:
            kind = await reader.readexactly(1) if begun else b""  # the first messages have no kind
            length = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(length, "big") - 4)
            if begun:
                count.take(kind, body)
            begun = begun or int.from_bytes(body[:4], "big") != SSL_REQUEST
            back.write(kind + length + body)
            await back.drain()


async def _answered(there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await there.read(65_536):
            writer.write(data)
            await writer.drain()
