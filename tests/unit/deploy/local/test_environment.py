"""The name of a local platform's log: its own, and for ever."""

from pathlib import Path

import pytest

from deploy.local.environment import LOG_NAME_ONCE, log_name
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import State, write_private


def fresh(place: Path) -> State:
    state = State(place)
    state.prepare()
    return state


def test_each_state_has_its_own_log_and_keeps_its_name(tmp_path: Path) -> None:
    states = [fresh(tmp_path / str(n)) for n in range(8)]
    names = [log_name(state) for state in states]
    assert len(set(names)) == len(names)
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
    "text", ["", "kept.local/log", "kept.local/0\n", "kept.local/0123abcd\nx", "\xff\n", "kept.other/log\n"]
)
def test_a_damaged_name_is_not_signed_under(tmp_path: Path, text: str) -> None:
    state = fresh(tmp_path)
    state.log_name.write_text(text, encoding="latin-1")
    with pytest.raises(PlatformError) as refused:
        log_name(state)
    assert refused.value.exit_code is Exit.STATE_BROKEN
    assert state.log_name.read_text(encoding="latin-1") == text
