"""Drills, as the pages and the schedule see them. The truth about a drill is its report in the store."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.backup.base import Base


class Drill(Base):
    __tablename__ = "drills"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    backup_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    erasures: Mapped[int | None] = mapped_column(Integer)
    checks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    report_sha256: Mapped[str | None] = mapped_column(Text)
