"""What audit publishes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.bus.event import Event

How = Literal["search", "proof", "tail"]
LEDGER_SHARDS_MAX = 200  # in one event; more take several


class TrailViewed(Event, type="kept.audit.trail.viewed.v1", ordered=False):
    """Somebody read the audit trail: how, by which filters (names, pseudonyms, times), how many rows came back.

    A live tail is told of when it begins; `rows` is 0 then, for nobody knows yet."""

    filters: dict[str, str]
    rows: int
    decision: list[str]
    how: How = "search"
    purpose: str = "audit"

    def key(self) -> str:
        return self.subject or "trail"


class AlarmRaised(Event, type="kept.audit.alarm.raised.v1"):
    """Something happened to the log that a person must look at. `first` and `last`: offsets, inclusive.

    `gone-on`: a person has looked at a shard that was stopped, and its next generation begins at `first`.
    `damaged`: the service verified its whole log, and files between these offsets are not as they were signed."""

    kind: Literal["damaged", "gap-by-retention", "gone-on", "late-record", "tampered", "topic-made-anew"]
    shard: str
    first: int
    last: int

    def key(self) -> str:
        return self.shard


class AlarmAcknowledged(Event, type="kept.audit.alarm.acknowledged.v1"):
    """Somebody (`ce_actor`) has seen to an alarm, and says why it can be put aside. `alarm`: the id of its event."""

    alarm: str
    kind: str
    shard: str
    reason: Literal["planned", "repaired", "harmless", "incident"]
    reference: str = ""

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


class TailEnded(Event, type="kept.audit.tail.ended.v1", ordered=False):
    """A live tail of the trail ended: how many rows it showed, for how long."""

    rows: int
    seconds: int

    def key(self) -> str:
        return "trail"


class TrailExported(Event, type="kept.audit.trail.exported.v1", ordered=False):
    """So many rows of the trail left, at most; `approvers` agreed where they were more than one person may take."""

    filters: dict[str, str]
    format: Literal["csv", "jsonl", "ocsf"]
    receipts: bool
    rows: int
    decision: list[str]
    approval_id: str | None = None
    approvers: list[str] = Field(default_factory=list)
    purpose: str = "audit"

    def key(self) -> str:
        return "trail"


class EntryViewed(Event, type="kept.audit.entry.viewed.v1", ordered=False):
    """Somebody read one entry of the log whole. `fields`: what of it was shown; a sealed entry's contents were opened."""

    entry: str
    fields: dict[str, str]
    purpose: str
    decision: list[str]

    def key(self) -> str:
        return self.subject or self.entry


class IndexRebuilt(Event, type="kept.audit.index.rebuilt.v1"):
    """The search index was built again from the log alone, and took the old one's place."""

    entries: int

    def key(self) -> str:
        return "index"
