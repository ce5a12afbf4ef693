"""Approvals and who decided."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.base import Base


class ApprovalRow(Base):
    """One approval. `grant_id` is the jti of its grant: one approval, one use, however often the grant is fetched."""

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


class Voice(Base):
    """One person's word on one approval. The primary key is the rule: one person, one word."""

    __tablename__ = "approval_voices"

    approval_id: Mapped[str] = mapped_column(Text, ForeignKey("approvals.id"), primary_key=True)
    person: Mapped[str] = mapped_column(Text, primary_key=True)
    word: Mapped[str] = mapped_column(Text)  # yes | no
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
