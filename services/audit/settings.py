"""audit's settings beyond those of every service."""

import os
from typing import Literal

from pydantic import Field

from shared.settings import ServiceSettings


def workers_by_cores() -> int:
    """Half of the cores. At least one: in one process with the search index, each would wait for the other."""
    return min(8, max(1, (os.cpu_count() or 1) // 2))


class AuditSettings(ServiceSettings):
    service: str = "audit"
    topics: str = Field(default=r"kept\..*|billing\..*", description="every topic whose whole name matches is in the log")

    ingest_workers: int = Field(
        default_factory=workers_by_cores, ge=0, le=64, description="processes that ingest; 0: the service's own does"
    )
    ledger_seconds: float = Field(default=60, gt=0, description="how often the shards' checkpoints become an entry of the log")

    log_store: str = Field(
        default="", description="a directory, or s3://bucket/prefix?region=…&endpoint=…; empty: `log` in the state directory"
    )
    log_immutable: Literal["auto", "on", "off"] = Field(
        default="off", description="chattr +i on files of a directory; auto: where that can be had; on: or refuse to start"
    )
    log_retention_years: int = Field(default=10, ge=1, le=100, description="how long S3 keeps what is written once")
