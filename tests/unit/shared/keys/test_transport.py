"""How requests reach Vault, against a server of our own: errors are hvac's, a standby is followed, nobody stands between."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import hvac
import hvac.exceptions
import pytest
import urllib3

from shared.errors import InvariantError
from shared.keys.transport import Transport


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/standby"):
            self._say(307, {}, Location=self.path.replace("standby", "active"))
        elif self.path.endswith("/forbidden"):
            self._say(403, {"errors": ["permission denied"]})
        else:
            self._say(200, {"data": {"sent": json.loads(body), "token": self.headers["X-Vault-Token"]}})

    def _say(self, status: int, body: dict[str, Any], **headers: str) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[hvac.Client]:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    yield hvac.Client(url=f"http://127.0.0.1:{server.server_port}", token="s.me", timeout=10, adapter=Transport)
    server.shutdown()
    server.server_close()


def test_what_is_sent_comes_there_with_the_token(vault: hvac.Client) -> None:
    assert vault.write_data("transit/x", data={"a": "1"})["data"] == {"sent": {"a": "1"}, "token": "s.me"}


def test_a_standby_is_followed_with_body_and_token(vault: hvac.Client) -> None:
    assert vault.write_data("transit/standby", data={"a": "1"})["data"] == {"sent": {"a": "1"}, "token": "s.me"}


def test_a_refusal_is_hvacs(vault: hvac.Client) -> None:
    with pytest.raises(hvac.exceptions.Forbidden):
        vault.write_data("transit/forbidden", data={})


def test_what_it_does_not_send_is_not_left_out_silently(vault: hvac.Client) -> None:
    with pytest.raises(InvariantError):
        vault.adapter.get("/v1/sys/health", params={"standbyok": "true"})


def test_nobody_there_is_an_error_at_once(vault: hvac.Client) -> None:
    away = hvac.Client(url="http://127.0.0.1:9", timeout=10, adapter=Transport)
    with pytest.raises(urllib3.exceptions.HTTPError):
        away.write_data("transit/x", data={})
