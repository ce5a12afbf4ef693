"""The queue of a service's mails: which and about whom, and what became of each; no text and no address ever stands here.

One class for the queries of every service; each has the table in its own database, by its own revisions.
"""

from datetime import datetime
from typing import cast

from sqlalchemy import BigInteger, DateTime, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_AT = DateTime(timezone=True)


class _Base(DeclarativeBase):
    """Of the mail room alone."""


class MailRow(_Base):
    """A mail that must leave, or has left."""

    __tablename__ = "mails"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    about: Mapped[str] = mapped_column(Text, index=True)  # the subject or request whose mail it is
    kind: Mapped[str] = mapped_column(Text)
    facts: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    recipient: Mapped[str | None] = mapped_column(Text, index=True)  # the mailbox's locator, for limits; gone a day after
    created_at: Mapped[datetime] = mapped_column(_AT)
    next_try_at: Mapped[datetime] = mapped_column(_AT)  # while somebody has it: when it is free again
    tries: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    left_at: Mapped[datetime | None] = mapped_column(_AT)  # a mail server took it
    done_at: Mapped[datetime | None] = mapped_column(_AT)
    outcome: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)  # why the last try failed: class and place

    __table_args__ = (Index("mails_waiting", "next_try_at", postgresql_where=text("done_at IS NULL")),)


MAILS = cast(Table, MailRow.__table__)


def create(connection: Connection) -> None:
    """The table as it is today, in an empty database of a test."""
    _Base.metadata.create_all(connection)
