"""Requests, what opens their pages, and what is kept with one until it is closed: its code, what was said and found about whose
data it is, and the holders' answers, which stay sealed to the request's key.

The typed address and the request's private age key are sealed under the request's own data key."""

from datetime import datetime

from sqlalchemy import JSON, DateTime, ForeignKey, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.dsar.base import Base
from services.dsar.law.model import Right
from services.dsar.requests.model import Evidence, Reached, State, Via, reached
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText


class DataRequest(Base):
    """One request of one person. After closing, only pseudonyms, dates and the outcome remain."""

    __tablename__ = "requests"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    right: Mapped[Right] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, index=True)
    outcome: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    law: Mapped[str] = mapped_column(Text)
    law_why: Mapped[str | None] = mapped_column(Text)  # law/book.py; None on requests from before there was a choice
    article: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    latest_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    extended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    verified_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dispatched_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    close_reason: Mapped[str | None] = mapped_column(Text)
    approval_asked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    approval_id: Mapped[str | None] = mapped_column(Text)
    refusal: Mapped[str | None] = mapped_column(Text)  # why it was a no: a code of the law's file
    approvers: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    subjects: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    # Every record that the address leads to, as its owner says (saga/whose.py), with the locators that lead there; those of
    # `subjects` are covered. From `settled_at` on nothing is claimed any more; `left_out` others are named with the answer.
    candidates: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    # Records that no owner names: the holders that are asked about each, themselves alone; none where it is left out.
    alone: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    settled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    narrow_tries: Mapped[int] = mapped_column(Integer, default=0)
    left_out: Mapped[int] = mapped_column(Integer, default=0)
    locator: Mapped[str | None] = mapped_column(Text, index=True)  # the newest: limits of the mailbox count by it
    locators: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")  # of every live version
    locator_version: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1", index=True)  # shared/renewal.py
    recipient: Mapped[str | None] = mapped_column(Text)
    address: Mapped[Sealed | None] = mapped_column(SealedText)
    private_key: Mapped[Sealed | None] = mapped_column(SealedText)

    @property
    def asked_by(self) -> list[str]:
        """The locators by which holders are asked: a process of the version before noted one alone."""
        return list(self.locators) or [self.locator or ""]

    @property
    def reached(self) -> Reached:
        """How far it came, closed or not."""
        return reached(self.right, self.outcome, proven=self.verified_at is not None, dispatched=self.dispatched_at is not None)

    @property
    def others(self) -> list[str]:
        """Records that the address leads to and that this request does not cover, as far as they are known now."""
        return sorted({*self.claimable, *(one for one, holders in self.alone.items() if not holders)})

    @property
    def claimable(self) -> list[str]:
        """Those of `others` that the person can still show to be theirs."""
        return sorted(set(self.candidates) - set(self.subjects))

    @property
    def asked_about(self) -> list[str]:
        """Every record that somebody is asked about: those of the person's first."""
        return [*self.subjects, *(one for one, holders in self.alone.items() if holders)]

    @property
    def unclear(self) -> bool:
        """Whether the address leads to several records, and the person has not said yet which of them are theirs."""
        return self.state == State.VERIFIED and len(self.candidates) > 1 and self.settled_at is None


class Capability(Base):
    """What opens a request's page: the SHA-256 of a secret that one browser has as a cookie, or one mail as a link. Several
    live side by side, each until its own time."""

    __tablename__ = "capabilities"

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), index=True)
    via: Mapped[Via] = mapped_column(Text)
    granted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class Code(Base):
    """The one live code of a request, sealed under the request's key so that the same one can be sent again; expiry, tries.
    Using it deletes it."""

    __tablename__ = "codes"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[Sealed] = mapped_column(SealedText)
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(Integer, default=0)


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


class Finding(Base):
    """A holder says, proven by its note, that the address leads to this record there, by these locators; its newest word."""

    __tablename__ = "findings"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    locators: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)


class Part(Base):
    """One numbered part of a holder's sealed answer to `collect`."""

    __tablename__ = "parts"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    parts: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[str] = mapped_column(Text)
