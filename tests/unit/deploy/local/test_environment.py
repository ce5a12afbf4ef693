"""The name of a local platform's log: its own, and for ever."""

from pathlib import Path

import pytest

from deploy.local.environment import LOG_NAME_ONCE, log_name
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import State, write_private
from services.dsar.certificates.verify import log_keys
from shared.settings import ServiceSettings


def fresh(place: Path) -> State:
    state = State(place)
    state.prepare()
    return state


def test_each_state_has_its_own_log_and_keeps_its_name(tmp_path: Path) -> None:
    states = [fresh(tmp_path / str(n)) for n in range(8)]
    names = [log_name(state) for state in states]
    assert len(set(names)) == len(names)
    assert len(log_keys([f"{name}/kept.audit/0+00000000+x" for name in names])) == len(names), "certificates would not verify"
    for state in states:
        write_private(state.env_file("audit"), "KEPT_SERVICE=audit\n")
        (state.root / "blobs" / "audit" / "log").mkdir(parents=True)
    assert [log_name(state) for state in states] == names


@pytest.mark.parametrize("left", ["run/audit.env", "blobs/audit/log/shards"])
def test_a_state_from_before_keeps_the_name_that_its_checkpoints_have(tmp_path: Path, left: str) -> None:
    state = fresh(tmp_path)
    (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / left).write_text("")
    assert log_name(state) == LOG_NAME_ONCE == log_name(state)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kept.local/log",
        "kept.local/0\n",
        "kept.local/log/0123abcd\nx",
        "kept.local/0123abcd\n",
        "\xff\n",
        "kept.other/log\n",
    ],
)
def test_a_damaged_name_is_not_signed_under(tmp_path: Path, text: str) -> None:
    state = fresh(tmp_path)
    state.log_name.write_text(text, encoding="latin-1")
    with pytest.raises(PlatformError) as refused:
        log_name(state)
    assert refused.value.exit_code is Exit.STATE_BROKEN
    assert state.log_name.read_text(encoding="latin-1") == text


@pytest.mark.parametrize(
    ("name", "good"), [("kept.local/log", True), ("a.example/log/b-1", True), ("a.example/b", False), ("log", False)]
)
def test_a_logs_name_tells_its_keys_from_those_of_holders(name: str, good: bool) -> None:
    """Whoever checks a certificate goes by it: a holder's key must not speak for the log."""
    if good:
        assert ServiceSettings(service="audit", log_name=name).log_name == name
        assert log_keys([f"{name}/kept.audit/0+00000000+x"])
    else:
        with pytest.raises(ValueError, match="log_name"):
            ServiceSettings(service="audit", log_name=name)
