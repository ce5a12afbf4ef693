"""One process that the supervisor keeps: how to start it, how to know that it is ready, how to stop it."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deploy.local.errors import NotYetError

__all__ = ["Launch", "NotYetError", "Part"]


@dataclass(frozen=True)
class Launch:
    """A process to start. Never a secret in `argv`: everybody on the machine can read those."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    uid: int | None = None
    gid: int | None = None


class Part(Protocol):
    """Implemented by postgres.py, vault.py, kafka.py, tansu.py, service.py and gateway.py."""

    name: str
    needs: tuple[str, ...]
    stop_signal: signal.Signals
    stop_seconds: float

    async def prepare(self) -> Launch:
        """Makes what the process needs on disk. Raises PlatformError where that cannot be had."""

    async def probe(self) -> None:
        """Returns when it answers; raises NotYetError saying what it waits for. Also asked by `kept status`."""

    async def settle(self) -> None:
        """Once per start, after the first good probe: unseal, provision, migrate. Idempotent."""

    def note(self) -> str:
        """A word to show beside it in `kept status`; empty when there is nothing to say."""
