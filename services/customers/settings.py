"""customers' settings beyond those of every service. Frozen, validated at start; no secrets here."""

from datetime import timedelta

from pydantic import Field

from shared.settings import ServiceSettings


class CustomersSettings(ServiceSettings):
    """Environment names carry the prefix KEPT_."""

    page_rows: int = Field(default=100, ge=1, le=200, description="customers on one page: one look, one event")
    address_days: int = Field(default=30, ge=1, description="so long a changed address proves nothing by silence")

    @property
    def address_wait(self) -> timedelta:
        """From when the mailbox before was told."""
        return timedelta(days=self.address_days)
