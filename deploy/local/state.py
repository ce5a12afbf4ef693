"""The state directory: where everything that `kept up` makes lies, and nothing else.

.kept/                 0711 (each part may run as a user of its own and must pass through)
  ports.json           every port, chosen free once and remembered
  log-name             of its log, drawn once: two platforms are two logs
  supervisor.{lock,pid,log}
  run/        0711     per part: pid file, environment or page, secret id; the supervisor's last word (status.json)
  logs/       0700     per part
  vault/      0711     unseal.json (the root of trust), configuration, data
  postgres/ kafka/ blobs/<service>/
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from deploy.local.errors import Exit, PlatformError

REPOSITORY = Path(__file__).resolve().parents[2]
LOG_BYTES_MAX = 16 * 1024 * 1024  # a part's log is turned over at its next start above this


def write_private(path: Path, text: str) -> None:
    """Replaces a file at once, readable by its owner alone; a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@dataclass(frozen=True)
class State:
    """One installation on this machine."""

    root: Path

    @classmethod
    def find(cls) -> "State":
        """KEPT_STATE, else `.kept` in the repository."""
        return cls(Path(os.environ.get("KEPT_STATE") or REPOSITORY / ".kept").resolve())

    def prepare(self) -> None:
        """Makes the directories; refuses a place that is not ours to write in."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o711)
            for path in (self.run, self.logs, self.vault):
                path.mkdir(exist_ok=True)
            self.logs.chmod(0o700)
            for path in (self.run, self.vault):
                path.chmod(0o711)  # a part's user passes through to what is its own; every file there is one user's alone
        except OSError as error:
            raise PlatformError(f"cannot use {self.root} for state: {error.strerror}", Exit.STATE_BROKEN) from error

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    @property
    def lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def pid(self) -> Path:
        return self.root / "supervisor.pid"

    @property
    def log(self) -> Path:
        return self.root / "supervisor.log"

    @property
    def log_name(self) -> Path:
        return self.root / "log-name"

    def hop_secret(self, part: str) -> Path:
        return self.run / f"{part}.hop"

    @property
    def status(self) -> Path:
        return self.run / "status.json"

    def pid_file(self, part: str) -> Path:
        return self.run / f"{part}.pid"

    def log_file(self, part: str) -> Path:
        path = self.logs / f"{part}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        return path

    @property
    def twice(self) -> Path:
        """There where each service runs as two processes (`kept up --twice`)."""
        return self.root / "twice"

    def env_file(self, service: str) -> Path:
        return self.run / f"{service}.env"

    def secret_id(self, role: str) -> Path:
        return self.run / f"{role}.secret_id"

    def read_json(self, path: Path) -> Mapping[str, object] | None:
        """The object in a file that we wrote; None where there is none."""
        try:
            value = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise PlatformError(
                f"{path} is damaged; restore it, or remove it if you know it can go", Exit.STATE_BROKEN
            ) from error
        if not isinstance(value, dict):
            raise PlatformError(f"{path} is damaged: not a JSON object", Exit.STATE_BROKEN)
        return cast("Mapping[str, object]", value)
