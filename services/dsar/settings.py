"""dsar's settings beyond those of every service. Frozen, validated at start; no secrets here."""

from datetime import timedelta

from pydantic import Field

from shared.settings import ServiceSettings


class DsarSettings(ServiceSettings):
    """Environment names carry the prefix KEPT_, lists are JSON."""

    controller: str = Field(default="Chinook Corporation", description="who answers for the data; stands on every page")
    contact: str = Field(default="privacy@kept.local", description="where a person reaches a human; sender of the mails")
    laws: tuple[str, ...] = ("eu-gdpr", "uk-gdpr", "us-ca-ccpa", "us-hipaa", "cn-pipl")
    holders: tuple[str, ...] = ("identity", "customers", "audit", "dsar", "billing")
    patience_seconds: int = Field(default=60, ge=5, description="access: how long before it goes on without a silent holder")
    unverified_hours: int = Field(default=24, ge=1, description="an address nobody proved is forgotten after this")
    keep_answer_days: int = Field(default=30, ge=1, description="an answer nobody closes is destroyed after this")
    codes_per_hour: int = Field(default=5, ge=1, description="codes sent to one address in an hour")
    asks_per_minute: int = Field(default=120, ge=1, description="requests from everybody together in a minute")

    @property
    def patience(self) -> timedelta:
        return timedelta(seconds=self.patience_seconds)
