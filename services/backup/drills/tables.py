"""Drills, as the pages and the schedule see them. The truth about a drill is its report in the store."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, DateTime, Integer, Text, false
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.backup.base import Base


class Drill(Base):
    __tablename__ = "drills"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    backup_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    # With the keyrings of the newest drilled set, whatever the set's own still open: as it is restored when they do no more.
    as_trimmed: Mapped[bool] = mapped_column(Boolean, server_default=false())
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    erasures: Mapped[int | None] = mapped_column(Integer)
    # restore/left_out.py; None where the set's own keys are in force, and in drills from before it was told.
    left_out: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    checks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    report_sha256: Mapped[str | None] = mapped_column(Text)
