"""A real S3 server for the tests, and a gateway of ours in front of it that makes what a server can do wrong.

The server is versitygw (its POSIX backend): versions, Object Lock in both modes, conditional writes.
"""

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Signing

from shared.blobs.s3 import S3Store
from shared.blobs.s3_calls import Credentials, connect
from tests.support.tools import VERSITYGW, built

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

KEYS = Credentials("kept", "kept-secret-key")
REGION = "us-east-1"
START_SECONDS_MAX = 60.0


@dataclass
class Server:
    """The whole server with the rights of its owner: the attacker of the tests."""

    endpoint: str
    client: "S3Client"
    made: int = 0

    def bucket(self, *, lock: bool = True, mode: str = "COMPLIANCE", years: int = 10, days: int = 0) -> str:
        """A new bucket; `mode=""` leaves it without a default retention."""
        self.made += 1
        name = f"bucket-{self.made}"
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        if lock and mode:
            rule: Any = {"Mode": mode} | ({"Days": days} if days else {"Years": years})
            self.client.put_object_lock_configuration(
                Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": rule}}
            )
        return name

    def store(self, bucket: str = "", prefix: str = "", years: int = 10) -> S3Store:
        return S3Store(connect(self.endpoint, REGION, KEYS), bucket or self.bucket(), prefix, years)


@contextmanager
def server() -> Iterator[Server]:
    """Starts on a free port, in a temporary directory; stops and removes it."""
    root = Path(tempfile.mkdtemp(prefix="kept-s3-"))
    for name in ("data", "versions"):
        (root / name).mkdir()
    port = free_port()
    words = [str(built(VERSITYGW)), "--port", f"127.0.0.1:{port}", "--region", REGION]
    words += ["posix", "--versioning-dir", str(root / "versions"), str(root / "data")]
    env = {**os.environ, "ROOT_ACCESS_KEY": KEYS.access_key, "ROOT_SECRET_KEY": KEYS.secret_key}
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(words, env=env, stdout=log, stderr=log)
    try:
        until = time.monotonic() + START_SECONDS_MAX
        while not _answers(port):
            assert process.poll() is None and time.monotonic() < until, (root / "log").read_text()[-2000:]
            time.sleep(0.05)
        endpoint = f"http://127.0.0.1:{port}"
        yield Server(endpoint, connect(endpoint, REGION, KEYS))
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(root, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Between:
    """A gateway that passes requests on to the real server, signed anew, except where a test says otherwise.

    `fault` may give, for a request: None (pass on), "503", "reset" or "hang" (not passed on), "lost" (done, and the
    answer is a reset), or a status in digits (not passed on). `drop`: headers that the store behind us does not know.
    """

    behind: str
    fault: Callable[[Request], str | None] = lambda _: None
    drop: set[str] = field(default_factory=set)
    hang_seconds: float = 1.0
    seen: list[Request] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address."""
        web = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        web.daemon_threads = True
        thread = threading.Thread(target=web.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{web.server_port}"
        finally:
            web.shutdown()
            web.server_close()
            thread.join()

    def forward(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        kept = ("content-", "x-amz-", "if-", "range")
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.startswith(kept)
            and name not in ("x-amz-date", "content-length")
            and not name.startswith(tuple(self.drop or "!"))
        }
        signed = AWSRequest(request.method, self.behind + request.path, headers, request.body)
        S3SigV4Auth(Signing(KEYS.access_key, KEYS.secret_key), "s3", REGION).add_auth(signed)
        connection = http.client.HTTPConnection(self.behind.removeprefix("http://"), timeout=30)
        try:
            connection.request(request.method, request.path, request.body, dict(signed.headers.items()))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _handler(between) -> type[BaseHTTPRequestHandler]:  # `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                between.seen.append(request)
                fault = between.fault(request)
                if fault is None:
                    return self._answer(*between.forward(request))
                if fault == "hang":
                    time.sleep(between.hang_seconds)
                if fault == "lost":
                    between.forward(request)
                if fault in ("hang", "lost", "reset"):
                    self.close_connection = True
                    return self.connection.shutdown(socket.SHUT_RDWR)
                code = {"503": "SlowDown", "500": "InternalError", "404": "NoSuchObjectLockConfiguration"}.get(fault, "Made")
                text = "" if int(fault) < 300 else f"<Error><Code>{code}</Code></Error>"
                self._answer(int(fault), {"Content-Type": "application/xml"}, text.encode())

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
