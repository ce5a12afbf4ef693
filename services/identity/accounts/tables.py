"""Accounts. Name, e-mail address, phone and employee number are sealed under the user's own data key."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, LargeBinary, SmallInteger, Text
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
    # The employee number, from which its locator can be made anew. None in accounts that came before it was kept, until their
    # file is imported once more.
    number: Mapped[Sealed | None] = mapped_column(SealedText)
    # Of which the hashes are made: the normal form, and the versions of both keys (shared/renewal.py).
    normal_form: Mapped[int] = mapped_column(SmallInteger, default=NORMAL_FORM)
    index_version: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
    locator_version: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
    # Unique under one version of its key; of two versions who makes an account looks at both (actions.py).
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    password: Mapped[str | None] = mapped_column(Text)  # argon2id, with its parameters

    __table_args__ = (Index("users_hashed", "normal_form", "index_version", "locator_version"),)


class UserLocator(Base):
    """How others find this user without learning anything. Goes with the erasure."""

    __tablename__ = "user_locators"

    locator: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, ForeignKey("users.id"), primary_key=True)
