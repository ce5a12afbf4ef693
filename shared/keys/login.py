"""How a service shows Vault who it is: by AppRole, or by a token that somebody else vouches for (`jwt` and `kubernetes`).

Secret and token are read from their file at every login: whoever replaces it restarts nothing. (A kubelet renews a projected
token when four fifths of its life are over.)
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import hvac

from shared.errors import UnavailableError
from shared.settings import ServiceSettings

log = logging.getLogger(__name__)


class Login(Protocol):
    """Takes a token of Vault, which the client has from then on."""

    def __call__(self, client: hvac.Client) -> int:
        """Seconds that it lives. UnavailableError where the file cannot be read; hvac.exceptions.VaultError."""
        ...


@dataclass(frozen=True)
class AppRole:
    """A role's id, and the secret id that its file has."""

    role_id: str
    secret_id_file: Path

    def __call__(self, client: hvac.Client) -> int:
        secret_id = _proof(self.secret_id_file)
        return _lease(client.auth.approle.login(role_id=self.role_id, secret_id=secret_id))


@dataclass(frozen=True)
class Jwt:
    """A JSON Web Token, at the method that is mounted at `mount`: `jwt` verifies it by keys that it knows, `kubernetes` asks
    the cluster. Both are asked alike."""

    mount: str
    role: str
    token_file: Path

    def __call__(self, client: hvac.Client) -> int:
        token = _proof(self.token_file)
        answer = client.auth.jwt.jwt_login(role=self.role, jwt=token, path=self.mount, use_token=True)
        return _lease(answer)


def login_of(settings: ServiceSettings) -> Login:
    """As the settings say: KEPT_VAULT_AUTH."""
    if settings.vault_auth == "approle":
        return AppRole(settings.vault_role_id, settings.vault_secret_id_file)
    role, mount = settings.vault_role or settings.service, settings.vault_auth_mount or settings.vault_auth
    return Jwt(mount, role, settings.vault_token_file)


def _proof(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        log.error("the file with what this service shows the key service cannot be read: %s", error.strerror)
        raise UnavailableError("this service has nothing to show the key service") from None


def _lease(answer: Any) -> int:
    return int(answer["auth"]["lease_duration"])
