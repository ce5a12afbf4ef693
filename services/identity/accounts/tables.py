"""Accounts. Name, e-mail address and phone number are sealed under the user's own data key."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.base import Base
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText
from shared.values.identifiers import NORMAL_FORM


class User(Base):
    """One member of staff. After an erasure only the pseudonym, the reporting line and the dates remain."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    manager: Mapped[str | None] = mapped_column(Text, ForeignKey("users.id"), index=True)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    name: Mapped[Sealed | None] = mapped_column(SealedText)
    email: Mapped[Sealed | None] = mapped_column(SealedText)
    phone: Mapped[Sealed | None] = mapped_column(SealedText)
    normal_form: Mapped[int] = mapped_column(SmallInteger, default=NORMAL_FORM, index=True)  # of which the hashes are made
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    password: Mapped[str | None] = mapped_column(Text)  # argon2id, with its parameters


class UserLocator(Base):
    """How others find this user without learning anything. Goes with the erasure."""

    __tablename__ = "user_locators"

    locator: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, ForeignKey("users.id"), primary_key=True)
