"""When a Vault is begun anew, and when it must not be. The server itself: tests/platform/test_local_starts.py."""

from pathlib import Path

import pytest

from deploy.local import vault_provision
from deploy.local.errors import Exit, PlatformError
from deploy.local.state import State
from deploy.local.vault import Vault


@pytest.fixture
def state(tmp_path: Path) -> State:
    found = State(tmp_path)
    found.prepare()
    return found


def vault(state: State) -> Vault:
    return Vault(state, {"vault": 1, "vault_cluster": 2})


async def test_a_first_start_that_was_killed_is_begun_anew(state: State) -> None:
    await vault(state).prepare()
    (state.vault / "data" / "vault.db").write_text("half of it")
    (state.vault / "unseal.json").write_text("{}")
    state.secret_id("audit").write_text("of a Vault that is no more")
    await vault(state).prepare()
    assert not list((state.vault / "data").iterdir())
    assert not (state.vault / "unseal.json").exists()
    assert not state.secret_id("audit").exists(), "a new Vault gives new ones"


async def test_whatever_is_lost_of_one_that_was_finished_nothing_is_removed(state: State) -> None:
    await vault(state).prepare()
    (state.vault / "beginning").unlink()  # as `settle` does at the end of the first start
    database, keys = state.vault / "data" / "vault.db", state.vault / "unseal.json"
    for gone, left in ((keys, database), (database, keys)):
        left.write_text("precious")
        gone.unlink(missing_ok=True)
        await vault(state).prepare()
        assert left.read_text() == "precious"
    (state.vault / "data").rmdir()
    await vault(state).prepare()
    assert keys.read_text() == "precious"


def test_what_the_table_of_arrows_gives_is_provisioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which policies somebody has stands there, and in no policy's file."""
    before = vault_provision.fingerprint(tmp_path)
    changed = tmp_path / "arrows.toml"
    changed.write_text(f"{vault_provision.TABLE.read_text()}\n# another right")
    monkeypatch.setattr(vault_provision, "TABLE", changed)
    assert vault_provision.fingerprint(tmp_path) != before


def test_without_its_keys_it_says_so(state: State) -> None:
    with pytest.raises(PlatformError, match="unseal keys are gone") as refused:
        vault(state)._keys()
    assert refused.value.exit_code is Exit.STATE_BROKEN
