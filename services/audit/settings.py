"""audit's settings beyond those of every service."""

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class AuditSettings(ServiceSettings):
    service: str = "audit"
    topics: str = Field(default=r"kept\..*|billing\..*", description="every topic whose whole name matches is in the log")

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "log"
