"""The settings of services, for the commands of who operates them: this process's environment, or this machine's platform."""

import json
import os
from pathlib import Path

from sqlalchemy.exc import OperationalError

from shared.db import KernelTables
from shared.errors import NotFoundError, UnavailableError
from shared.keys.login import AppRole
from shared.keys.vault import Vault
from shared.service import Ground, ground
from shared.settings import ServiceSettings


def settings_of(service: str) -> ServiceSettings:
    """The service's settings: from this process's environment, else as the local platform wrote them. NotFoundError."""
    shown = "KEPT_VAULT_ROLE_ID" in os.environ or os.environ.get("KEPT_VAULT_AUTH", "approle") != "approle"
    if shown and os.environ.get("KEPT_SERVICE", service) == service:
        return ServiceSettings(service=service)
    try:
        lines = (_run() / f"{service}.env").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"no settings of {service!r} here; there are those of {', '.join(services(''))}") from None
    names = {name.removeprefix("KEPT_").lower(): value for name, _, value in (line.partition("=") for line in lines)}
    return ServiceSettings(**{name: value for name, value in names.items() if name in ServiceSettings.model_fields})  # type: ignore[arg-type]  # texts, which pydantic reads as it reads the environment


def services(service: str) -> list[str]:
    """The one that was named, else all that have settings here. NotFoundError where none has."""
    found = [service] if service else sorted(path.stem for path in _run().glob("*.env"))
    if not found:
        raise NotFoundError("no settings of any service here; is the platform running? (kept status)")
    return found


async def ground_now(settings: ServiceSettings, tables: KernelTables) -> Ground:
    """A service's ground for a command: who types it is told what is away (UnavailableError), where a service would wait."""
    vault = Vault.of(settings)
    try:
        await vault.kv(f"{settings.service}/database")
        return await ground(settings, tables)
    except UnavailableError:
        raise UnavailableError("the key service is sealed or away; is the platform running? (kept status)") from None
    except OperationalError:
        raise UnavailableError("the database is away; `kept status` shows every part") from None


def operator(role: str) -> Vault:
    """The key service as an operator's role: by this process's environment (KEPT_VAULT_ADDR, KEPT_<ROLE>_ROLE_ID,
    KEPT_<ROLE>_SECRET_ID_FILE), else as the local platform has it. NotFoundError."""
    name = f"KEPT_{role.upper()}_ROLE_ID"
    if name in os.environ:
        secret_id = Path(os.environ[f"KEPT_{role.upper()}_SECRET_ID_FILE"])
        return Vault(os.environ["KEPT_VAULT_ADDR"], AppRole(os.environ[name], secret_id))
    try:
        about = json.loads((_run() / f"{role}.role.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"no role {role!r} here: set {name} and its secret id's file") from None
    return Vault(settings_of(services("")[0]).vault_addr, AppRole(str(about["role_id"]), _run() / f"{role}.secret_id"))


def _run() -> Path:
    return Path(os.environ.get("KEPT_STATE", ".kept")) / "run"
