"""audit's settings beyond those of every service."""

import os
from typing import Literal

from pydantic import Field, model_validator

from services.audit.log.witnesses import Policy
from shared.errors import MalformedError
from shared.settings import ServiceSettings

WORKERS = 2  # enough for two cores (docs/benchmarks.md); each more takes memory of its own


def workers_by_cores() -> int:
    """At least one: in one process with the search index, each would wait for the other."""
    return min(WORKERS, os.cpu_count() or 1)


class AuditSettings(ServiceSettings):
    service: str = "audit"
    topics: str = Field(default=r"kept\..*|billing\..*", description="every topic whose whole name matches is in the log")

    ingest_workers: int = Field(
        default_factory=workers_by_cores, ge=0, le=64, description="processes that ingest; 0: the service's own does"
    )
    ledger_seconds: float = Field(default=60, gt=0, description="how often the shards' checkpoints become an entry of the log")

    scrub_hours: float = Field(default=24, ge=0, description="how often the service verifies its whole log; 0: never")

    witnesses: str = Field(
        default="", description="`<vkey> <address>` of each, with white space between; empty: checkpoints are not witnessed"
    )
    witness_quorum: int = Field(default=0, ge=0, description="how many of them must sign; 0: more than half")
    witness_fail: Literal["open", "closed"] = Field(
        default="open", description="without a quorum: open: publish, and again when it has signed; closed: wait"
    )
    witness_seconds: float = Field(default=2, gt=0, le=60, description="how long a round of publication waits for them")

    log_store: str = Field(
        default="", description="a directory, or s3://bucket/prefix?region=…&endpoint=…; empty: `log` in the state directory"
    )
    log_immutable: Literal["auto", "on", "off"] = Field(
        default="off", description="chattr +i on files of a directory; auto: where that can be had; on: or refuse to start"
    )
    log_retention_years: int = Field(default=10, ge=1, le=100, description="how long S3 keeps what is written once")

    @property
    def witness_policy(self) -> Policy | None:
        """Whom to ask, or None."""
        closed = self.witness_fail == "closed"
        return Policy.of(self.witnesses, self.witness_quorum, closed=closed, seconds=self.witness_seconds)

    @model_validator(mode="after")
    def _witnesses_make_sense(self) -> "AuditSettings":
        try:
            _ = self.witness_policy
        except MalformedError as error:
            raise ValueError(error.detail) from None
        return self
