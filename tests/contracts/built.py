"""Every service as its own composition root builds it, on a Vault that gives any password and servers that are never asked."""

import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fastapi import FastAPI

from shared.bus.event import Event
from shared.handlers import Handlers
from shared.keys.vault import Vault

SERVICES = ("identity", "customers", "audit", "backup", "dsar")


class OpenVault(Vault):
    """Hands out passwords that open nothing."""

    async def kv(self, path: str) -> dict[str, str]:
        return {"password": "contract"}


@dataclass(frozen=True)
class Built:
    """A service's application, and the events that it handles."""

    name: str
    app: FastAPI
    handles: Sequence[type[Event]]


async def build(name: str) -> Built:
    """`services/<name>/app.py: build`, without a server behind it."""
    root, settings = (importlib.import_module(f"services.{name}.{part}") for part in ("app", "settings"))
    heard: list[type[Event]] = []

    class Recorded(Handlers):
        def on(self, event: type[Any]) -> Any:
            heard.append(event)
            return super().on(event)

    kind: Any = getattr(settings, f"{name.capitalize()}Settings")
    with (
        tempfile.TemporaryDirectory() as state,
        patch("shared.service.Vault", OpenVault),
        patch("shared.service.migrate", lambda *_: None),
        patch.object(root, "Handlers", Recorded),
    ):
        app = await root.build(kind(service=name, state_dir=Path(state)))
    return Built(name, app, sorted(heard, key=lambda one: one.type_))
