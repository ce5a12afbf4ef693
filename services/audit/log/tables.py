"""The heads: what each shard's checkpoint may say next; and what must not happen before they have moved."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Integer, LargeBinary, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.audit.base import Base


class Head(Base):
    """`base`: the broker's offset of leaf 0. Moved by compare-and-swap on (topic_id, size, root) only. `stopped_at`: since when
    it can't be moved at all. `topic_id`: the broker's id of the topic whose records these are; null where it was never told."""

    __tablename__ = "heads"
    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    partition: Mapped[int] = mapped_column(Integer)
    generation: Mapped[int] = mapped_column(Integer)
    base: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    stopped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    topic_id: Mapped[UUID | None] = mapped_column(Uuid)


class Pin(Base):
    """A batch that is being written: until the head of `shard` has reached `until`, the keys of `subjects` are not shredded."""

    __tablename__ = "pins"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    shard: Mapped[str] = mapped_column(Text, ForeignKey("heads.shard"), index=True)
    until: Mapped[int] = mapped_column(BigInteger)
    subjects: Mapped[list[str]] = mapped_column(ARRAY(Text))
    pinned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class SlotSaid(Base):
    """What the process that has a slot of the log said of it last (ingestion/said.py), for the one that stands by."""

    __tablename__ = "slots"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    of: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    said: Mapped[dict[str, Any]] = mapped_column(JSONB)
    said_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Scrub(Base):
    """One row: when the service last verified its whole log, how many entries that has, what it found. `named`: some faults."""

    __tablename__ = "scrubs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, default=1)
    ended_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    entries: Mapped[int] = mapped_column(BigInteger)
    faults: Mapped[int] = mapped_column(Integer)
    named: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Ledger(Base):
    """One row: when the last ledger was recorded, and how many leaves the log has with it."""

    __tablename__ = "ledgers"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, default=1)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    leaves: Mapped[int] = mapped_column(BigInteger)
