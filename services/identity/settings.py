"""identity's settings beyond those of every service. Frozen, validated at start; no secrets here."""

from datetime import timedelta

from pydantic import Field, model_validator

from shared.settings import ServiceSettings


class IdentitySettings(ServiceSettings):
    """Environment names carry the prefix KEPT_."""

    session_minutes: int = Field(default=60, ge=1, le=720, description="at most what shared/ended_sessions.py remembers")
    approval_hours: int = Field(default=72, ge=1, le=720, description="an approval staff asked for ends undecided after this")
    reminder_hours: int = Field(default=24, ge=1, le=720, description="how often an undecided approval reminds")
    grant_minutes: int = Field(default=15, ge=1, le=60, description="how long a granted approval can be used")
    default_region: str = Field(default="CA", min_length=2, max_length=2, description="of phone numbers without +")

    @model_validator(mode="after")
    def _nobody_is_locked_out(self) -> "IdentitySettings":
        if self.session_minutes > self.token_minutes_max:
            raise ValueError("session_minutes is over token_minutes_max: every service would refuse the tokens")
        return self

    @property
    def session(self) -> timedelta:
        return timedelta(minutes=self.session_minutes)

    @property
    def approval(self) -> timedelta:
        return timedelta(hours=self.approval_hours)

    @property
    def reminder(self) -> timedelta:
        return timedelta(hours=self.reminder_hours)

    @property
    def grant(self) -> timedelta:
        return timedelta(minutes=self.grant_minutes)
