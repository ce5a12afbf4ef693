"""identity's settings beyond those of every service. Frozen, validated at start; no secrets here."""

from datetime import timedelta

from pydantic import Field

from shared.settings import ServiceSettings


class IdentitySettings(ServiceSettings):
    """Environment names carry the prefix KEPT_."""

    session_minutes: int = Field(default=60, ge=1, le=720, description="at most what shared/access/ended.py remembers")
    approval_hours: int = Field(default=72, ge=1, le=720, description="an approval nobody decides ends after this")
    grant_minutes: int = Field(default=15, ge=1, le=60, description="how long a granted approval can be used")
    default_region: str = Field(default="CA", min_length=2, max_length=2, description="of phone numbers without +")

    @property
    def session(self) -> timedelta:
        return timedelta(minutes=self.session_minutes)

    @property
    def approval(self) -> timedelta:
        return timedelta(hours=self.approval_hours)

    @property
    def grant(self) -> timedelta:
        return timedelta(minutes=self.grant_minutes)
