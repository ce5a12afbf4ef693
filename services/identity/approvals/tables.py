"""Approvals and who decided."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.base import Base


class ApprovalRow(Base):
    """One approval. `grant_id` is the jti of its grant: one approval, one use, however often the grant is fetched.

    `staff`: members of staff under the address of the person who asks: they do not decide, and it is not about them.
    `lapses`: it ends undecided at `expires_at`; else that is the law's date, and it waits on, overdue. `grounds`: the reasons
    that a no may have, where they came with the question; `ground`: the one it had. `reminder`: how urgent the last one was.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        Index(
            "approvals_one_open",
            "action",
            "resource",
            "requester",
            unique=True,
            postgresql_where=text("state = 'requested'"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    action: Mapped[str] = mapped_column(Text)
    resource: Mapped[str] = mapped_column(Text, index=True)
    requester: Mapped[str] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, index=True)
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    grant_id: Mapped[str | None] = mapped_column(Text, unique=True)
    subjects: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    staff: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    lapses: Mapped[bool] = mapped_column(default=True)
    grounds: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    ground: Mapped[str | None] = mapped_column(Text)
    reminded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reminder: Mapped[str | None] = mapped_column(Text)
    reminders: Mapped[int] = mapped_column(default=0)


class Voice(Base):
    """One person's word on one approval. The primary key is the rule: one person, one word."""

    __tablename__ = "approval_voices"

    approval_id: Mapped[str] = mapped_column(Text, ForeignKey("approvals.id"), primary_key=True)
    person: Mapped[str] = mapped_column(Text, primary_key=True)
    word: Mapped[str] = mapped_column(Text)  # yes | no
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
