"""What audit publishes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.bus.event import Event

LEDGER_SHARDS_MAX = 200  # in one event; more take several


class TrailViewed(Event, type="kept.audit.trail.viewed.v1"):
    """Somebody read the audit trail: which filters (names and pseudonyms), how many rows came back."""

    filters: dict[str, str]
    rows: int
    decision: list[str]

    def key(self) -> str:
        return self.subject or "trail"


class AlarmRaised(Event, type="kept.audit.alarm.raised.v1"):
    """Something happened to the log that a person must look at. `first` and `last`: offsets, inclusive."""

    kind: Literal["gap-by-retention", "late-record", "tampered", "topic-made-anew"]
    shard: str
    first: int
    last: int

    def key(self) -> str:
        return self.shard


class LedgerShard(BaseModel):
    """What a shard's published checkpoint says. `root`: standard base64 of 32 bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shard: str
    size: int = Field(ge=0)
    root: str


class LedgerRecorded(Event, type="kept.audit.ledger.recorded.v1"):
    """The published checkpoints of all shards at one moment, so that the shards vouch for one another."""

    shards: list[LedgerShard] = Field(max_length=LEDGER_SHARDS_MAX)

    def key(self) -> str:
        return "ledger"
