import json
import socket
import stat
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import State, write_private


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("KEPT_PORT", str(probe.getsockname()[1]))
    found = State(tmp_path / "state")
    found.prepare()
    return found


def test_directories_with_secrets_are_ours_alone(state: State) -> None:
    assert stat.S_IMODE(state.logs.stat().st_mode) == 0o700
    for path in (state.run, state.vault):  # a part's own user passes through to its own files, and sees no list of the others
        assert stat.S_IMODE(path.stat().st_mode) == 0o711


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\xff\xfe"])
def test_a_damaged_file_is_one_line_and_its_own_exit_code(state: State, text: str) -> None:
    path = state.root / "ports.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(PlatformError) as refused:
        ports.load(state)
    assert refused.value.exit_code is Exit.STATE_BROKEN
    assert str(path) in refused.value.line
    assert "\n" not in refused.value.line


def test_a_place_that_cannot_be_state(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlatformError) as refused:
        State(tmp_path / "file" / "state").prepare()
    assert refused.value.exit_code is Exit.STATE_BROKEN


def test_ports_are_remembered(state: State) -> None:
    first = ports.choose(state)
    assert ports.choose(state) == first
    assert set(first) == {*ports.NAMES, "gateway"}
    assert len(set(first.values())) == len(first)


def test_a_port_that_someone_took_meanwhile_is_chosen_again(state: State) -> None:
    first = ports.choose(state)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first["kafka"]))
        other.listen()
        second = ports.choose(state)
    assert second.pop("kafka") != first.pop("kafka")
    assert second == first


def test_the_public_port_is_never_chosen_again(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("KEPT_PORT", str(other.getsockname()[1]))
        with pytest.raises(PlatformError) as refused:
            ports.choose(state)
    assert refused.value.exit_code is Exit.PORT_TAKEN


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "8080 ", "８０８０x"])
def test_a_public_port_that_is_none(state: State, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KEPT_PORT", text)
    with pytest.raises(PlatformError, match="not a port number"):
        ports.choose(state)


def test_ports_are_what_was_written(state: State) -> None:
    chosen = ports.choose(state)
    assert json.loads((state.root / "ports.json").read_text()) == chosen
