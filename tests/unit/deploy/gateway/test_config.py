"""HAProxy takes the page, and does what it says: each line of it against the real program, without any service."""

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from deploy.gateway import config as page_of
from deploy.gateway.config import OWN_HEADERS, Place, config
from deploy.gateway.routes import LOCAL, ROUTES
from deploy.local.gateway import program
from deploy.local.hop import hosts
from shared.http import limits

HOP = "0123456789abcdef"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Upstream:
    """A service that shows what reached it: head and body, whole."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if b"/stream" in head:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n")
            await writer.drain()
            await asyncio.sleep(60)
        if b"/hangs" in head:
            await asyncio.sleep(60)
        if b"/broken" not in head:
            body = head.decode("latin-1")
            cookie = "set-cookie: kept_session=of-the-first-visitor\r\n" if b"/cookie" in head else ""
            writer.write(f"HTTP/1.1 200 OK\r\nserver: x\r\n{cookie}content-length: {len(body)}\r\n\r\n{body}".encode("latin-1"))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def gateway(folder: Path, second: Mapping[str, str] | None = None) -> AsyncIterator[tuple[str, Upstream]]:
    """Its origin; everything behind it is one upstream, but backup is away. `second`: of parts that are two."""
    upstream, port = Upstream(), free_port()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    parts = dict.fromkeys((*ROUTES, *LOCAL), at) | {"backup": f"127.0.0.1:{free_port()}"}
    place = Place(bind=f"127.0.0.1:{port}", hosts=hosts(port), parts=parts, hop=HOP, second=second or {})
    page = folder / "haproxy.cfg"
    page.write_text(config(place))
    checked = subprocess.run([program(), "-c", "-f", str(page)], capture_output=True, text=True)
    assert checked.returncode == 0 and "WARNING" not in checked.stderr, checked.stderr
    process = await asyncio.create_subprocess_exec(program(), "-db", "-f", str(page))
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            await asyncio.sleep(0.05)
        yield f"http://localhost:{port}", upstream
    finally:
        process.terminate()
        await process.wait()
        server.close()


async def asked(origin: str, request: bytes) -> bytes:
    """Byte by byte: a client library would not send it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rpartition(":")[2]))
    writer.write(request.replace(b"HOST", origin.removeprefix("http://").encode()))
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(65536), 30)
    writer.close()
    return answer


def get(path: str, *more: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: HOST", *more, "", ""]).encode("latin-1")


def headed(answer: bytes) -> None:
    head = answer.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
    for name, value in OWN_HEADERS:
        assert f"{name}: {value.lower()}" in head, (name, answer)
    assert not any(line.startswith("server:") for line in head)


ODD = ["/signin/../x", "/signin/%2e%2E/x", "/signin/%2e", "/signin/..%2fx", "/log/.", "/a\\b", "/a%5Cb", "/signin/a%00b", 
       "/a%0ab", "/a%7F", "/signin?a=%00"]  # fmt: skip
NONE = [b"GARBAGE\r\n\r\n", b"GET /\0 HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil\r\n\r\n",
        b"GET http://evil/signin HTTP/1.1\r\nHost: HOST\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /signin HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        b"POST /signin HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: nonsense\r\n\r\n"]  # fmt: skip


async def test_what_is_no_plain_request_of_ours_reaches_no_service(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (origin, upstream):
        cases = [
            *((get(path), 400, "malformed") for path in ODD),
            *((get(path), 404, "not-found") for path in ("/metrics", "/livez", "/readyz", "//signin", "/nothing", "/SIGNIN")),
            (b"GET /signin HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "misdirected"),
            (b"GET /signin HTTP/1.1\r\nHost: localhost\r\n\r\n", 421, "misdirected"),
            (b"GET /signin HTTP/1.1\r\n\r\n", 421, "misdirected"),
            (get("/signin", f"X: {'a' * limits.HEADER_BYTES_MAX}"), 431, "too-large"),
            (b"POST /signin HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1048577\r\n\r\n", 413, "too-large"),
            (b"POST /api/customers/imports HTTP/1.1\r\nHost: HOST\r\nContent-Length: 33554433\r\n\r\n", 413, "too-large"),
        ]
        for raw, status, code in cases:
            answer = await asked(origin, raw)
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (raw[:80], answer[:300])
            body = json.loads(answer.partition(b"\r\n\r\n")[2][:400])
            assert (body["status"], body["code"]) == (status, code) and body["detail"], (raw[:80], body)
            assert b"application/problem+json" in answer
            headed(answer)
        for raw in NONE:  # no HTTP at all: HAProxy's own words, and the end of the connection
            answer = await asked(origin, raw)
            assert (answer.startswith(b"HTTP/1.1 400 ") and b"no-cache" in answer) or b"no-store" in answer, (
                raw[:80],
                answer[:300],
            )
        assert upstream.heads == []


async def test_a_service_hears_of_hops_from_the_gateway_alone(tmp_path: Path) -> None:
    lies = ("X-Forwarded-For: 6.6.6.6", "x-forwarded-host: evil", "X-Forwarded-Server: a", "Forwarded: for=6.6.6.6",
            "X-Real-IP: 6.6.6.6", "X-Kept-Hop: 0", "Connection: close, X-Mine")  # fmt: skip
    async with gateway(tmp_path) as (origin, upstream):
        for path in ("/signin", "/", "/log/x/.hidden/a..b", "/LOG".lower()):
            headed(await asked(origin, get(path, *lies)))
            head = upstream.heads.pop().decode().lower()
            assert "6.6.6.6" not in head and "evil" not in head, head
            assert "x-forwarded-for: 127.0.0.1\r\n" in head and f"x-kept-hop: {HOP}\r\n" in head
            assert head.count("x-kept-hop") == 1 and head.startswith(f"get {path} ")


async def test_who_is_away_is_said_in_words(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (origin, _):
        for path, status, word in (
            ("/backups", 503, "backup is starting or away"),
            ("/signin/broken", 502, "identity broke off"),
        ):
            answer = await asked(origin, get(path))
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()) and word.encode() in answer and b"retry-after: 3" in answer
            headed(answer)
        ready = await asked(origin, get("/gateway/readyz"))
        assert ready.endswith(b'{"ready":true,"waits_for":[]}')


async def test_a_stream_passes_at_once_and_no_visitor_gets_anothers_cookie(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (origin, upstream), httpx.AsyncClient(base_url=origin, timeout=30) as http:
        async with http.stream("GET", "/api/audit/stream") as answer:
            assert await anext(answer.aiter_raw()) == b"data: 1\n\n"
        assert "set-cookie" in (await http.get("/signin/cookie")).headers
        async with httpx.AsyncClient(base_url=origin, timeout=30) as other:
            await other.get("/signin")
        assert b"cookie:" not in upstream.heads[-1].lower()


async def test_a_part_that_hangs_takes_nothing_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own clients hear so in time, further ones at once; where an answer may take long, it may."""
    monkeypatch.setattr(page_of, "ANSWER_SECONDS_MAX", 2)
    monkeypatch.setattr(page_of, "OF_ONE_PART", 50)
    async with gateway(tmp_path) as (origin, _):
        slow = asyncio.create_task(asked(origin, get("/api/audit/export/hangs")))
        hanging = [asyncio.create_task(asked(origin, get("/signin/hangs"))) for _ in range(60)]
        at_once, _ = await asyncio.wait(hanging, timeout=1)
        assert len(at_once) == 10
        for one in at_once:
            assert one.result().startswith(b"HTTP/1.1 503 ") and b"too many wait for identity" in one.result()
            assert b"retry-after: 3" in one.result().lower()
            headed(one.result())
        assert (await asyncio.wait_for(asked(origin, get("/customers")), 1)).startswith(b"HTTP/1.1 200 ")
        later = [await one for one in hanging if one not in at_once]
        assert all(one.startswith(b"HTTP/1.1 504 ") and b"identity did not answer in time" in one for one in later)
        headed(later[0])
        assert (await asked(origin, get("/signin"))).startswith(b"HTTP/1.1 200 ")
        assert not slow.done()
        slow.cancel()


async def test_slow_and_idle_ones_cost_their_owner_alone(tmp_path: Path) -> None:
    """200 slow heads, 200 slow bodies and idle connections from one source; another works, and no service hears of them."""
    async with gateway(tmp_path) as (origin, upstream):
        port, slow, refused = int(origin.rpartition(":")[2]), [], 0
        head = f"POST /signin HTTP/1.1\r\nHost: {origin.removeprefix('http://')}\r\nContent-Length: 900\r\n".encode()
        for number in range(500):
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.66", 0))
            except ConnectionError:  # refused so quickly that it was never open
                refused += 1
                continue
            writer.write([head + b"\r\na", head[:20], b""][number % 3])
            slow.append((reader, writer))
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.77")
        async with httpx.AsyncClient(
            transport=transport, base_url=origin.replace("localhost", "127.0.0.1"), timeout=5
        ) as other:
            for _ in range(20):
                assert (await other.post("/signin", content=b"whole")).status_code == 200
        assert len(upstream.heads) == 20, "a service was told of a request that is not whole"

        async def ended(reader: asyncio.StreamReader) -> bool:
            try:
                return await asyncio.wait_for(reader.read(1), 3) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        refused += sum(await asyncio.gather(*(ended(reader) for reader, _ in slow)))
        assert refused == 500 - limits.CONNECTIONS_PER_SOURCE, "one source has so many connections, and no more"
        for _, writer in slow:
            writer.close()


@pytest.mark.parametrize("seconds", ["timeout http-request 10s", "wait-for-body time 20s", "timeout client 60s"])
def test_the_times_are_those_of_the_services(seconds: str) -> None:
    place = Place(bind="127.0.0.1:1", hosts=["a"], parts=dict.fromkeys(ROUTES, "127.0.0.1:1"))
    assert seconds in config(place)
    assert (limits.HEADER_SECONDS_MAX, limits.BODY_SECONDS_FREE, limits.ANSWER_STALL_SECONDS_MAX) == (10, 20, 60)


@asynccontextmanager
async def breaking_off() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A process that is ready, takes every request, and ends without an answer; what it took."""
    took: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if b" /readyz " in head:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
            else:
                took.append(head.partition(b" ")[0])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", took


async def test_of_two_processes_one_that_is_away_is_noticed_by_nobody(tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"
    async with gateway(tmp_path, {"customers": away}) as (origin, _), httpx.AsyncClient() as http:
        for ask in (http.get, http.post):
            assert [(await ask(f"{origin}/api/customers")).status_code for _ in range(6)] == [200] * 6


async def test_only_what_changes_nothing_is_asked_again(tmp_path: Path) -> None:
    async with (
        breaking_off() as (other, took),
        gateway(tmp_path, {"customers": other}) as (origin, _),
        httpx.AsyncClient() as http,
    ):
        gets = [(await http.get(f"{origin}/api/customers")).status_code for _ in range(6)]
        assert gets == [200] * 6 and b"GET" in took, "broken off, and asked of the other one"
        posts = [(await http.post(f"{origin}/api/customers")).status_code for _ in range(6)]
        assert sorted(set(posts)) == [200, 502] and posts.count(502) == took.count(b"POST"), "each reached one of them, once"
