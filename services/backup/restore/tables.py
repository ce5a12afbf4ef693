"""Erasures, as they were heard of; restores, as they were done."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.backup.base import Base


class Erasure(Base):
    """This holder destroyed this subject's key. Also a blob in the store, which outlives this database."""

    __tablename__ = "erasures"

    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    event_id: Mapped[str] = mapped_column(Text)
    heard_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Restore(Base):
    __tablename__ = "restores"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    backup_id: Mapped[str] = mapped_column(Text)
    approval_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    erasures: Mapped[int | None] = mapped_column(Integer)
    left_out: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # left_out.py
    failure: Mapped[str | None] = mapped_column(Text)
