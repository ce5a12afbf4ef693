"""The search index: derived from the log, never ahead of a published checkpoint; holds pseudonyms only.

All of it lies in a schema of its own, so that a rebuilt index is swapped in by renaming it (`rebuild.py`). `Indexed` and
`About` are partitioned by month (`partitions.py`, which also has what SQLAlchemy does not declare). Text is compared byte by
byte (collation C): the order of a list must not depend on the operating system's.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.audit.base import Base

LIVE, NEXT, OLD = "trail", "trail_next", "trail_old"
_C = Text(collation="C")


class Position(Base):
    """How far each shard is indexed."""

    __tablename__ = "positions"
    __table_args__ = ({"schema": LIVE},)
    shard: Mapped[str] = mapped_column(_C, primary_key=True)
    next: Mapped[int] = mapped_column(BigInteger)


class Indexed(Base):
    """One entry. `look`: a reading of personal data. `detail`: what the event says in clear."""

    __tablename__ = "events"
    __table_args__ = ({"schema": LIVE},)
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    shard: Mapped[str] = mapped_column(_C, primary_key=True)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ce_id: Mapped[str] = mapped_column(_C)
    type: Mapped[str] = mapped_column(_C)
    actor: Mapped[str] = mapped_column(_C)
    subject: Mapped[str] = mapped_column(_C)
    trace: Mapped[str] = mapped_column(_C)
    purpose: Mapped[str] = mapped_column(_C)
    look: Mapped[bool] = mapped_column(Boolean)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)


class About(Base):
    """Whom an event is about; a look may be about a page of people."""

    __tablename__ = "about"
    __table_args__ = ({"schema": LIVE},)
    subject: Mapped[str] = mapped_column(_C, primary_key=True)
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    shard: Mapped[str] = mapped_column(_C, primary_key=True)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class Known(Base):
    """Locators that events carried, so that audit can answer `locate`: people may share one. Deleted when the subject is
    erased."""

    __tablename__ = "known_locators"
    __table_args__ = ({"schema": LIVE},)
    locator: Mapped[str] = mapped_column(_C, primary_key=True)
    subject: Mapped[str] = mapped_column(_C, primary_key=True, index=True)


class Tampered(Base):
    """A shard whose files read differently than they were signed, since when: told once, whichever process found it first.
    Deleted when it reads as it was signed again."""

    __tablename__ = "tampered"
    __table_args__ = ({"schema": LIVE},)
    shard: Mapped[str] = mapped_column(_C, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Acknowledged(Base):
    """An alarm that somebody has seen to. `alarm`: the id of the event that raised it."""

    __tablename__ = "acknowledged"
    __table_args__ = ({"schema": LIVE},)
    alarm: Mapped[str] = mapped_column(_C, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    by: Mapped[str] = mapped_column(_C)
    reason: Mapped[str] = mapped_column(_C)
    reference: Mapped[str] = mapped_column(_C)
