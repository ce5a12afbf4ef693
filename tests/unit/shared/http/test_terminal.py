"""The command line is a known device: it sends back what it was given, and keeps it from everybody else."""

import json
import stat
from pathlib import Path

import httpx
import pytest
import typer

from shared.http import client
from shared.http.terminal import device, remember

ORIGIN = "http://localhost:8080"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_each_origin_has_its_own_and_only_its_user_reads_it(home: Path) -> None:
    assert device(ORIGIN) == ""
    remember(ORIGIN + "/", "a.1.b")
    remember("https://kept.example", "c.2.d")
    remember(ORIGIN, "e.3.f")
    assert (device(ORIGIN), device("https://kept.example"), device("https://other.example")) == ("e.3.f", "c.2.d", "")
    files = sorted((home / "kept").iterdir())
    assert len(files) == 2 and {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


def test_what_is_no_place_for_it_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write_text("a file where a directory belongs")
    remember(ORIGIN, "a.1.b")
    assert device(ORIGIN) == ""
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(home))
    assert device(ORIGIN) == "", "a relative one is none"


def test_what_cannot_be_kept_leaves_nothing_behind_and_what_is_known_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(ORIGIN, "a.1.b")
    remember(ORIGIN, "not ASCII: é")
    assert device(ORIGIN) == "a.1.b" and len(list((home / "kept").iterdir())) == 1
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: "typed")
    with httpx.Client(
        base_url=ORIGIN, transport=httpx.MockTransport(lambda _: httpx.Response(201, json={"token": "t"}))
    ) as http:
        client._token(http)  # an identity of before, which knows no devices
    assert device(ORIGIN) == "a.1.b"


def test_signing_in_sends_back_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def identity(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content)["device"])
        return httpx.Response(201, json={"token": "t", "expires_in": 60, "device": "a.1.b"})

    monkeypatch.setattr(typer, "prompt", lambda *_, **__: "typed")
    for _ in range(2):
        with httpx.Client(base_url=ORIGIN, transport=httpx.MockTransport(identity)) as http:
            assert client._token(http) == {"token": "t", "expires_in": 60}, "what is shown has no device in it"
    assert seen == ["", "a.1.b"]
