"""Requests that are none: every POST and PATCH of every service, found in its own OpenAPI document, gets bodies that are too
large, broken, absurdly deep or of other types. Every answer is a refusal that says what is wrong; none is a 500, and none
repeats a value."""

import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.platform import Platform
from tests.support.staff import signed_in

SERVICES = ("identity", "customers", "audit", "backup", "dsar")
MEGABYTE = 1024 * 1024
SECRET = "Zyxwvunrepeated"
STAFF = ("andrew", "nancy", "michael")  # whoever may use an endpoint is among them
WORDS = [SECRET, "", "\ud800", "a\0b", "x" * 100_000]
STRANGE: list[Any] = [None, True, -1, 2**70, 1.5, [], [SECRET], {}, {SECRET: SECRET}, *WORDS]
JSON = {"Content-Type": "application/json"}


class Operation(NamedTuple):
    """One POST, PUT or PATCH. `fields`: of its JSON body, empty where it takes another one."""

    service: str
    method: str
    path: str
    json: bool
    fields: tuple[str, ...]


def operations(platform: Platform, service: str) -> Iterator[Operation]:
    url = f"http://127.0.0.1:{platform.ports[service]}/api/{service}/openapi.json"
    document = httpx.get(url, timeout=30).raise_for_status().json()
    for path, item in document["paths"].items():
        for method in ("post", "put", "patch", "delete"):
            if method not in item:
                continue
            content = item[method].get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            name = schema.get("$ref", "").rpartition("/")[2]
            declared = document.get("components", {}).get("schemas", {}).get(name, schema)
            real = path
            for parameter in item[method].get("parameters", []):
                if parameter["in"] == "path":
                    real = real.replace("{" + parameter["name"] + "}", f"sub_{'0' * 32}")
            yield Operation(service, method, real, "application/json" in content, tuple(declared.get("properties", ())))


@pytest.fixture(scope="module")
def everybody(platform: Platform) -> Iterator[list[httpx.Client]]:
    clients = [signed_in(platform, name) for name in STAFF] + [httpx.Client(base_url=platform.origin, timeout=30)]
    yield clients
    for one in clients:
        one.close()


def refused(answer: httpx.Response, what: object) -> None:
    about = f"{answer.request.method} {answer.request.url.path} with {str(what)[:80]}: {answer.status_code} {answer.text[:300]}"
    assert 400 <= answer.status_code < 500, about
    assert SECRET not in answer.text, about
    assert len(answer.content) < 4_000, about
    if answer.headers["content-type"].startswith("application/problem+json"):
        assert answer.json()["code"] and answer.json()["detail"], about
    else:
        assert answer.headers["content-type"].startswith("text/html"), about  # a form's answer is a page


@pytest.mark.parametrize("service", SERVICES)
def test_every_body_that_is_none_is_refused(platform: Platform, everybody: list[httpx.Client], service: str) -> None:
    broken: dict[str, bytes] = {
        "nothing": b"",
        "half": b'{"a": ',
        "no UTF-8": b'{"a": "\xff\xfe"}',
        "not a number": b'{"a": NaN}',
        "twice": b'{"a": 1, "a": 2}',
        "deep": b"[" * 100_000 + b"]" * 100_000,
        "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "a long number": b'{"a": ' + b"9" * 10_000 + b"}",
        "a list": b"[]",
        "a word": b'"word"',
        "null": b"null",
        "XML": b"<a/>",
    }
    asked = 0
    for operation in operations(platform, service):
        for client in everybody:
            size = 32 * MEGABYTE if "imports" in operation.path else MEGABYTE
            big = client.request(operation.method, operation.path, content=b" " * (size + 1))
            assert big.status_code == 413 and "limit" in big.json()["detail"], big.text[:300]
            if not operation.json:
                continue
            for what, content in broken.items():
                answer = client.request(operation.method, operation.path, content=content, headers=JSON)
                refused(answer, what)
                asked += 1
    print(f"{service}: {asked} requests")


@pytest.mark.parametrize("service", SERVICES)
def test_every_field_of_another_type_is_refused_by_name(
    platform: Platform, everybody: list[httpx.Client], service: str
) -> None:
    for operation in operations(platform, service):
        for field in operation.fields:
            for value in STRANGE:
                body = json.dumps({name: {} for name in operation.fields} | {field: value}).encode()
                headers = JSON | {"If-Match": '"1"'}
                answer = everybody[0].request(operation.method, operation.path, content=body, headers=headers)
                refused(answer, {field: value})


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer " + "x" * 7_000},
        {"Authorization": "Basic bmFuY3k6eA=="},
        {"Authorization": "Bearer a.b.c", "traceparent": "00-zz-zz-zz"},
        {"If-Match": "*" * 3_000, "Idempotency-Key": "k" * 3_000},
        {"X-Purpose": "\x7f" * 50},
        {"Accept-Language": "zz-" * 500, "Accept": "*" * 500},
        {"Cookie": "kept_session=" + "é" * 100},
        {"Range": "bytes=9999999999999999999-"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_strange_headers_are_no_defect(platform: Platform, headers: dict[str, str]) -> None:
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    for path in ("/api/customers", "/api/identity/me", "/api/dsar/requests", "/api/audit/shards", "/api/backup/sets", "/"):
        try:
            answer = httpx.get(platform.origin + path, headers=raw, timeout=30)
        except httpx.RemoteProtocolError:
            continue  # the server hung up on what is no HTTP
        assert answer.status_code < 500, (path, answer.status_code, answer.text[:300])


LIMITS = ["limit=-1", "limit=0", "limit=99999999999999999999", "limit=x", "limit=1&limit=2"]
CURSORS = ["cursor=%00", "cursor=" + "A" * 5_000, "cursor=%FF%FE"]
OTHERS = ["kind=%00", "right=" + "x" * 5_000, "status=%ED%A0%80", "q=%00"]


@pytest.mark.parametrize("query", [*LIMITS, *CURSORS, *OTHERS], ids=lambda query: query[:20])
def test_strange_queries_are_no_defect(everybody: list[httpx.Client], query: str) -> None:
    for path in ("/api/customers", "/api/identity/approvals", "/api/audit/events", "/api/backup/sets", "/api/dsar/requests"):
        for client in everybody:
            answer = client.get(f"{path}?{query}")
            assert answer.status_code < 500, (path, query, answer.status_code, answer.text[:300])


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: -1",
        "Content-Length: " + "9" * 30,
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: nonsense",
    ],
)
def test_a_length_that_is_none_is_refused(platform: Platform, head: str) -> None:
    """Byte by byte: a client library would not send it."""
    for port in (platform.ports["gateway"], platform.ports["identity"]):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            raw.sendall(f"POST /api/identity/sessions HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n{{}}".encode())
            status = raw.recv(4096).split(b" ")[1:2]
        assert status == [] or 400 <= int(status[0]) < 500, status
