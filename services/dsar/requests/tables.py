"""Requests. The typed address and the request's private age key are sealed under the request's own data key."""

from datetime import datetime

from sqlalchemy import JSON, DateTime, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.dsar.base import Base
from services.dsar.requests.model import Right
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText


class DataRequest(Base):
    """One request of one person. After closing, only pseudonyms, dates and the outcome remain."""

    __tablename__ = "requests"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    right: Mapped[Right] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, index=True)
    outcome: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    law: Mapped[str] = mapped_column(Text)
    article: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    latest_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    extended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    verified_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dispatched_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    close_reason: Mapped[str | None] = mapped_column(Text)
    approval_id: Mapped[str | None] = mapped_column(Text)
    approvers: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    subjects: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    # Where several people share the address: each with the locators that lead there, and which of them it is.
    candidates: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    chosen: Mapped[str | None] = mapped_column(Text)
    narrow_tries: Mapped[int] = mapped_column(Integer, default=0)
    locator: Mapped[str | None] = mapped_column(Text, index=True)
    capability: Mapped[bytes | None] = mapped_column(LargeBinary)
    recipient: Mapped[str | None] = mapped_column(Text)
    address: Mapped[Sealed | None] = mapped_column(SealedText)
    private_key: Mapped[Sealed | None] = mapped_column(SealedText)

    @property
    def unclear(self) -> bool:
        """Whether several people share the address, and nobody said yet which of them asks."""
        return bool(self.candidates) and self.chosen is None
