"""What audit publishes."""

from shared.bus.event import Event


class TrailViewed(Event, type="kept.audit.trail.viewed.v1"):
    """Somebody read the audit trail: which filters (names and pseudonyms), how many rows came back."""

    filters: dict[str, str]
    rows: int
    decision: list[str]

    def key(self) -> str:
        return self.subject or "trail"
