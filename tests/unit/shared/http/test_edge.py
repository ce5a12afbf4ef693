"""What every request passes before its route: whose it is, what it is addressed to, its size and its time."""

import asyncio
import re
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import TooLargeError, TooManyError, TooSlowError
from shared.http import limits
from shared.http.admission import Admission
from shared.http.body import in_time
from shared.http.edge import HEADERS, Edge
from shared.http.source import Hops, network, source_of
from shared.settings import ServiceSettings

HOP = "0123456789abcdef"
ORIGIN = "https://kept.example"


def settings(**more: object) -> ServiceSettings:
    return ServiceSettings.model_validate(
        {"service": "demo", "public_origin": ORIGIN, "http_port": 8000, "origins": ("https://other.example:444",)} | more
    )


async def shows_source(scope: Scope, receive: Receive, send: Send) -> None:
    from fastapi import Request

    request = Request(scope, receive)
    if scope["path"] == "/body":
        answer: ASGIApp = PlainTextResponse(str(len(await request.body())))
    elif scope["path"] == "/stream":

        async def parts() -> object:
            while True:
                yield b"x"

        answer = StreamingResponse(parts())  # type: ignore[arg-type]  # a generator is one
    else:
        answer = PlainTextResponse(f"{scope['method']} from {source_of(request)}")
    await answer(scope, receive, send)


def client(peer: str = "9.9.9.9", **more: object) -> httpx.AsyncClient:
    edge = Edge(shows_source, settings(**more), {"/large": 10 * limits.BODY_BYTES_MAX})
    return httpx.AsyncClient(transport=httpx.ASGITransport(edge, client=(peer, 1)), base_url=ORIGIN, timeout=30)


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("kept.example", "/", 200),
        ("KEPT.example", "/", 200),
        ("other.example:444", "/", 200),
        ("demo:8000", "/", 200),
        ("127.0.0.1:8000", "/", 200),
        ("other.example", "/", 421),
        ("evil.example", "/", 421),
        ("kept.example.evil.example", "/", 421),
        ("kept.example:8080", "/", 421),
        ("", "/", 421),
        ("10.1.2.3:8000", "/readyz", 200),
        ("10.1.2.3:8000", "/metrics", 200),
        ("10.1.2.3:8000", "/metrics/x", 421),
    ],
)
async def test_a_host_is_one_of_ours(host: str, path: str, status: int) -> None:
    async with client() as http:
        answer = await http.get(path, headers={"Host": host})
    assert answer.status_code == status
    assert all(answer.headers[name.decode()] for name, _ in HEADERS)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"/a/b", 200), (b"/a/.b/c..d", 200), (b"/a%2Fb", 200), (b"/\xe4\xbd\xa0", 200),
        (b"/../a", 400), (b"/a/..", 400), (b"/a/./b", 400), (b"/a/%2e%2E/b", 400), (b"/a/..%2fb", 400), (b"/a\\b", 400),
        (b"/a%5cb", 400), (b"/a%00", 400), (b"/a%0d%0ab", 400), (b"/a%7f", 400), (b"/a?b=%00", 400), (b"/a?b=%30", 200),
    ],
)  # fmt: skip
async def test_a_path_is_plain(raw: bytes, status: int) -> None:
    """As uvicorn hands it over: a client library would mend it first."""
    path, _, query = raw.partition(b"?")
    scope = {
        "type": "http", "method": "GET", "path": unquote(path.decode("latin-1")), "raw_path": path, "query_string": query,
        "headers": [(b"host", b"kept.example")], "client": ("9.9.9.9", 1), "scheme": "https", "server": ("a", 1),
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await Edge(shows_source, settings(), {})(scope, receive, send)
    assert sent[0]["status"] == status, raw


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": ORIGIN}, 200),
        ({"Origin": "https://other.example:444"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://kept.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, 403),
        ({"Origin": "https://evil.example", "Authorization": "Bearer x"}, 200),
    ],
)
async def test_a_form_comes_from_our_own_origins(headers: dict[str, str], status: int) -> None:
    """Whatever `Host` says: an attacker's page that is answered under an attacker's host must not count as ours."""
    async with client() as http:
        assert (await http.post("/", headers=headers)).status_code == status
        assert (await http.post("/", headers={"Host": "evil.example", "Origin": "https://evil.example"})).status_code == 421


TRUSTED = {"trusted_proxies": ("10.0.0.0/8", "127.0.0.1/32")}


@pytest.mark.parametrize(
    ("peer", "forwarded", "hop", "source"),
    [
        ("9.9.9.9", "1.1.1.1", HOP, "9.9.9.9"),  # no proxy of ours
        ("10.0.0.1", "1.1.1.1", HOP, "1.1.1.1"),
        ("10.0.0.1", "1.1.1.1", "wrong", "10.0.0.1"),  # another program of the inside
        ("10.0.0.1", "1.1.1.1", "", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1", HOP, "1.1.1.1"),  # what the client itself claims
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.9.9.9", HOP, "1.1.1.1"),  # two of ours
        ("10.0.0.1", "", HOP, "10.0.0.1"),
        ("10.0.0.1", "nonsense", HOP, "unknown"),
        ("127.0.0.1", "2001:db8:1:2ff:3:4:5:6", HOP, "2001:db8:1:200::/56"),
        ("127.0.0.1", "[2001:db8:1:2::9]", HOP, "2001:db8:1::/56"),
        ("::ffff:127.0.0.1", "1.1.1.1", HOP, "1.1.1.1"),
    ],
)
async def test_where_a_request_comes_from_is_said_by_a_proxy_of_ours(
    peer: str, forwarded: str, hop: str, source: str, tmp_path: Path
) -> None:
    (tmp_path / "hop").write_text(HOP + "\n")
    headers = {"X-Forwarded-For": forwarded, "X-Kept-Hop": hop, "X-Real-IP": "6.6.6.6", "Forwarded": "for=6.6.6.6"}
    async with client(peer, hop_secret_file=tmp_path / "hop", **TRUSTED) as http:
        assert (await http.get("/", headers=headers)).text == f"GET from {source}"


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_network_of_64_bits_is_one_source(address: object, more: int) -> None:
    from ipaddress import IPv6Address

    assert isinstance(address, IPv6Address)
    other = IPv6Address(int(address) >> 64 << 64 | more)
    if address.ipv4_mapped is None and other.ipv4_mapped is None:
        assert network(str(address)) == network(str(other))


async def test_head_is_answered_as_get_without_a_body_also_where_that_is_a_stream() -> None:
    async with client() as http:
        head, get = await http.head("/"), await http.get("/")
        assert head.headers == get.headers and head.content == b"" and head.status_code == 200
        assert (await asyncio.wait_for(http.head("/stream"), 20)).status_code == 200


class Script:
    """A `receive` whose chunks come after so many seconds each, by a clock of its own."""

    def __init__(self, chunks: list[tuple[float, int]]) -> None:
        self.chunks, self.now = list(chunks), 0.0

    def clock(self) -> float:
        return self.now

    async def receive(self) -> Message:
        seconds, size = self.chunks.pop(0)
        self.now += seconds
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(self.chunks)}


async def read(script: Script, limit: int) -> int:
    receive, taken = in_time(script.receive, limit, script.clock), 0
    while True:
        message = await receive()
        taken += len(message["body"])
        if not message["more_body"]:
            return taken


async def test_a_body_is_whole_in_time_and_within_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await read(Script([(0.0, 100)]), 100) == 100
    with pytest.raises(TooLargeError):
        await read(Script([(0.0, 60), (0.0, 41)]), 100)
    steady = [(1.0, limits.BODY_BYTES_PER_SECOND_MIN)] * 200
    assert await read(Script(steady), 10**9) == 200 * limits.BODY_BYTES_PER_SECOND_MIN
    with pytest.raises(TooSlowError):  # a byte now and then: alive, and still too slow
        await read(Script([(1.0, 1)] * 200), 10**9)
    monkeypatch.setattr(limits, "BODY_SECONDS_FREE", 0.05)

    async def never() -> Message:
        await asyncio.sleep(600)
        raise AssertionError

    with pytest.raises(TooSlowError):
        await in_time(never, 100)()


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefgh")), max_size=300))
def test_whoever_else_is_there_a_new_source_gets_in(steps: list[tuple[bool, str]]) -> None:
    """Strangers come and go as they like, from eight sources; the owner, who has nothing under way, is admitted at once."""
    admission, stacks = Admission(of_one=10, of_all=16), Counter[str]()
    held: dict[str, list[ExitStack]] = {}
    for comes, who in steps:
        if comes:
            stack = ExitStack()
            try:
                stack.enter_context(admission.admitted(who))
            except TooManyError:
                continue
            held.setdefault(who, []).append(stack)
            stacks[who] += 1
            assert stacks[who] <= 10
        elif held.get(who):
            held[who].pop().close()
            stacks[who] -= 1
        with admission.admitted("owner"):
            pass
    for one in [one for many in held.values() for one in many]:
        one.close()
    assert not admission._here and not admission._total, "sources are forgotten"


async def test_who_has_too_many_at_once_waits_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = asyncio.Semaphore(0), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        begun.release()
        await go.wait()
        await PlainTextResponse("done")(scope, receive, send)

    edge = Edge(waits, settings(), {})
    many = httpx.AsyncClient(transport=httpx.ASGITransport(edge, client=("1.1.1.1", 1)), base_url=ORIGIN)
    other = httpx.AsyncClient(transport=httpx.ASGITransport(edge, client=("2.2.2.2", 1)), base_url=ORIGIN)
    tasks = [asyncio.create_task(many.get("/")) for _ in range(limits.AT_ONCE_PER_SOURCE)]
    for _ in tasks:
        await begun.acquire()
    refused = await many.get("/")
    assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (429, "too-many", "1")
    another = asyncio.create_task(other.get("/"))
    await begun.acquire()
    go.set()
    assert (await another).text == "done" and {answer.status_code for answer in await asyncio.gather(*tasks)} == {200}


HOSTED = re.compile(
    r"\burl_for\(|\.base_url\b|request\.url\b(?!\.(path|query))|http\.url\b(?!\.(path|query))|headers\S*host", re.I
)


def test_nothing_is_built_from_what_host_says() -> None:
    """A link or redirect that a client's `Host` decides leads wherever the client likes. Redirects here are paths."""
    root = Path(__file__).parents[4]
    found = [
        f"{file.relative_to(root)}: {line.split()[1]}"
        for folder in ("services", "shared")
        for file in sorted((root / folder).rglob("*.py"))
        for line in file.read_text().splitlines()
        if HOSTED.search(line) and "client.base_url" not in line
    ]
    assert found == ['shared/http/address.py: headers.get("host",']
    targets = [
        (file, target)
        for folder in ("services", "shared")
        for file in (root / folder).rglob("*.py")
        for target in re.findall(r"RedirectResponse\(\s*([^,)]+)", file.read_text())
    ]
    # What a form reached is told again where it is sent again: our own answer, as it was written down.
    ours = re.compile(r'f?"/(?!/)|local_path\(|\w+$|json\.loads\(error\.body$')
    assert targets and [(file, target) for file, target in targets if not ours.match(target)] == []


def test_no_router_redirects_by_itself() -> None:
    """A router that adds or takes away a slash builds its `Location` from `Host`."""
    from tests.unit.shared.http.test_app import made

    assert made().router.redirect_slashes is False


def test_hops_believe_nobody_by_default() -> None:
    scope: Scope = {"client": ("127.0.0.1", 1)}
    assert Hops(()).source(scope, {"x-forwarded-for": "6.6.6.6", "x-kept-hop": ""}) == "127.0.0.1"
