"""dsar's settings beyond those of every service. Frozen, validated at start; no secrets here."""

from datetime import timedelta

from pydantic import Field

from services.dsar.law.model import PLACE
from shared.settings import ServiceSettings

LAWS = (
    "eu-gdpr", "uk-gdpr", "ch-fadp", "us-ca-ccpa", "us-co-cpa", "us-tx-tdpsa", "us-va-vcdpa", "ca-pipeda", "ca-qc-p391",
    "br-lgpd", "au-app", "cn-pipl",
)  # fmt: skip


class DsarSettings(ServiceSettings):
    """Environment names carry the prefix KEPT_, lists are JSON."""

    place: str = Field(
        default="IE", pattern=PLACE, description="where the controller is (ISO 3166): its law answers who names no place"
    )
    laws: tuple[str, ...] = Field(
        default=LAWS, description="the laws of places that requests are answered by, files of services/dsar/law"
    )
    sector_laws: tuple[str, ...] = Field(default=(), description="laws of the controller's sector, such as us-hipaa")
    supervisory_authority: str = Field(default="", description="where people complain, if not as the law says")
    holders: tuple[str, ...] = ("identity", "customers", "audit", "dsar", "billing")
    patience_seconds: int = Field(default=60, ge=5, description="access: how long before it goes on without a silent holder")
    unverified_hours: int = Field(default=24, ge=1, description="an address nobody proved is forgotten after this")
    keep_answer_days: int = Field(default=30, ge=1, description="an answer nobody closes is destroyed after this")
    codes_per_hour: int = Field(
        default=5, ge=1, description="codes sent to one mailbox in an hour for strangers, and for each browser that proved it"
    )
    asks_per_source: int = Field(default=60, ge=1, description="requests and codes sent again, from one source in an hour")
    asks_per_minute: int = Field(default=600, ge=1, description="requests from everybody together in a minute")

    @property
    def goes_on_after(self) -> timedelta:
        """How long an access waits for a silent holder before it goes on and names it as missing."""
        return timedelta(seconds=self.patience_seconds)
