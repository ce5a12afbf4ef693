"""The settings of services, for the commands of who operates them: this process's environment, or this machine's platform."""

import os
from pathlib import Path

from shared.errors import NotFoundError
from shared.settings import ServiceSettings


def settings_of(service: str) -> ServiceSettings:
    """The service's settings: from this process's environment, else as the local platform wrote them. NotFoundError."""
    if os.environ.get("KEPT_SERVICE", service) == service and "KEPT_VAULT_ROLE_ID" in os.environ:
        return ServiceSettings(service=service)
    try:
        lines = (_run() / f"{service}.env").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        known = ", ".join(services(""))
        hint = f"there are {known}" if known else "is the platform running? (kept status)"
        raise NotFoundError(f"no settings of {service!r} here; {hint}") from None
    names = {name.removeprefix("KEPT_").lower(): value for name, _, value in (line.partition("=") for line in lines)}
    return ServiceSettings(**{name: value for name, value in names.items() if name in ServiceSettings.model_fields})  # type: ignore[arg-type]  # texts, which pydantic reads as it reads the environment


def services(service: str) -> list[str]:
    """The one that was named, else all that have settings here."""
    return [service] if service else sorted(path.stem for path in _run().glob("*.env"))


def _run() -> Path:
    return Path(os.environ.get("KEPT_STATE", ".kept")) / "run"
