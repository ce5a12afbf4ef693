"""Issued certificates, and the proofs that they are made of. They name pseudonyms only, so they stay after the request is
closed, as evidence."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.dsar.base import Base


class Certificate(Base):
    __tablename__ = "certificates"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    note: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Erasure(Base):
    """A holder's signed word that it erased a subject, dsar's event that it was verified (before version 2: the event that
    carried it), and that event's receipt from the log."""

    __tablename__ = "erasures"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    event_id: Mapped[str] = mapped_column(Text)
    fields: Mapped[int] = mapped_column(Integer)
    kept: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text)
    receipt: Mapped[str | None] = mapped_column(Text)
