"""Who was asked, who answered. Answers to `collect` are sealed to the request's key and stay sealed here."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.dsar.base import Base
from services.dsar.saga.model import Command, Evidence
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText


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


class Finding(Base):
    """A holder says, proven by its note, that the address leads to this record there, by these locators; its newest word."""

    __tablename__ = "findings"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    locators: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)


class Owner(Base):
    """The service whose own topic made this subject: nobody else decides whose data it is."""

    __tablename__ = "owners"

    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)


class Part(Base):
    """One numbered part of a holder's sealed answer to `collect`."""

    __tablename__ = "parts"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    parts: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[str] = mapped_column(Text)


class Erasure(Base):
    """A holder's signed word that it erased a subject, dsar's event that it was verified (before version 2: the event that
    carried it), and that event's receipt from the log."""

    __tablename__ = "erasures"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    event_id: Mapped[str] = mapped_column(Text)
    fields: Mapped[int] = mapped_column(Integer)
    kept: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text)
    receipt: Mapped[str | None] = mapped_column(Text)


class Claim(Base):
    """A record that shares its address with others, and was shown to be the person's: by the number that they gave (sealed
    under the request's key), or by the two people at the desk who decided on evidence. One person there only proposes it.

    The column is not called `subject`: whoever looks for a sealed value's key by that name (a drill does) would take the
    record's person for the one whose key it is."""

    __tablename__ = "claims"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column("record", Text, primary_key=True)
    said: Mapped[Sealed | None] = mapped_column(SealedText)
    staff: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    evidence: Mapped[Evidence | None] = mapped_column(Text)
    claimed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
