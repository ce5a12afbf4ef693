"""The search index: derived from the log, never ahead of a published checkpoint; holds pseudonyms only."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.audit.base import Base


class Position(Base):
    """How far each shard is indexed."""

    __tablename__ = "index_positions"
    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    next: Mapped[int] = mapped_column(BigInteger)


class Indexed(Base):
    """One event. `detail`: for a look, its fields, purpose and decision."""

    __tablename__ = "indexed"
    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ce_id: Mapped[str] = mapped_column(Text, index=True)
    type: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text, index=True)
    subject: Mapped[str] = mapped_column(Text)
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    trace: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)


class About(Base):
    """Whom an event is about; a look may be about a page of people."""

    __tablename__ = "about"
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class Known(Base):
    """Locators that events carried, so that audit can answer `locate`. Deleted when the subject is erased."""

    __tablename__ = "known_locators"
    locator: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, index=True)
