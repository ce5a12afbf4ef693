"""Who is asked what, who answered; and who made which record."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.dsar.base import Base
from services.dsar.saga.model import Command


class Ask(Base):
    """One command to one holder about one subject; `subject` is empty for locate, recheck and attest."""

    __tablename__ = "asks"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    command: Mapped[Command] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True, default="")
    asked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(Integer, default=1)
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # What came was too much (parts.py): no further part is taken, nor told of, before it is asked again.
    overfull_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def overfull(self) -> bool:
        """Whether what came since it was last asked was too much."""
        return self.overfull_at is not None and self.overfull_at >= self.asked_at


class Owner(Base):
    """The service whose own topic made this subject: nobody else decides whose data it is."""

    __tablename__ = "owners"

    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
