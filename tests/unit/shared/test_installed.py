"""Where a command of who operates Kept finds a service's settings."""

from pathlib import Path

import pytest

from shared.errors import NotFoundError
from shared.installed import settings_of


@pytest.mark.parametrize("shown", [{"KEPT_VAULT_ROLE_ID": "kept-dsar"}, {"KEPT_VAULT_AUTH": "kubernetes"}])
def test_in_a_services_own_environment_they_are_those(
    shown: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KEPT_STATE", str(tmp_path))
    for name, value in {"KEPT_SERVICE": "dsar", "KEPT_VAULT_ADDR": "http://vault", **shown}.items():
        monkeypatch.setenv(name, value)
    assert settings_of("dsar").vault_addr == "http://vault"
    with pytest.raises(NotFoundError):
        settings_of("audit")
