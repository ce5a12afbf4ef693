"""backup's settings beyond those of every service. Frozen, validated at start; no secrets here."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from services.backup.postgres import Postgres
from shared.settings import ServiceSettings


class BackupSettings(ServiceSettings):
    """Environment names carry the prefix KEPT_, lists are JSON."""

    pg_bin: Path | None = Field(default=None, description="PostgreSQL's programs, same major version; without: PATH")
    pg_os_user: str = Field(default="nobody", description="runs scratch servers when the service is root")
    take_every_minutes: int = Field(default=24 * 60, ge=0, description="0: no schedule")
    drill_every_minutes: int = Field(default=7 * 24 * 60, ge=0, description="0: no schedule")
    log_url: str = Field(default="", description="where the log is read whose heads a set names, if not at public_origin")
    holders: dict[str, str] = Field(
        default={
            "identity": "kept.identity",
            "customers": "kept.customers",
            "audit": "kept.audit",
            "dsar": "kept.dsar",
            "billing": "billing.events",
        },
        description="whose erasures are replayed, and the topic on which each says that it erased",
    )

    @property
    def root(self) -> Path:
        """Everything backup keeps on disk."""
        return self.state_dir

    @property
    def blobs(self) -> Path:
        return self.root / "store"

    @property
    def scratch(self) -> Path:
        """Short names: a Unix socket's path is limited."""
        return self.root / "scratch"

    @property
    def restored(self) -> Path:
        return self.root / "restored"

    @property
    def postgres(self) -> Postgres:
        return Postgres(self.pg_bin, self.pg_os_user)

    @property
    def log_origin(self) -> str:
        """Where the log is read."""
        return self.log_url or self.public_origin

    @property
    def take_every(self) -> timedelta:
        return timedelta(minutes=self.take_every_minutes)

    @property
    def drill_every(self) -> timedelta:
        return timedelta(minutes=self.drill_every_minutes)
