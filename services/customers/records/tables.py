"""Customer records. Every personal field is sealed under the person's own data key; the rest is pseudonyms and hashes."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from services.customers.base import Base
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText
from shared.values.identifiers import NORMAL_FORM


class Customer(Base):
    """One customer. After an erasure only pseudonym and dates remain: the tombstone."""

    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, default=1)
    # The sales representative, as the locator that identity tells of its users: an import may come before the staff.
    owner_locator: Mapped[str | None] = mapped_column(Text, index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    normal_form: Mapped[int] = mapped_column(SmallInteger, default=NORMAL_FORM, index=True)  # of which the hashes are made
    # The customer number, sealed: an export can name it, and locators can be made anew from it. None in records that came
    # before it was kept, until they are imported once more.
    number: Mapped[Sealed | None] = mapped_column(SealedText)
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)
    phone_index: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)
    first_name: Mapped[Sealed | None] = mapped_column(SealedText)
    last_name: Mapped[Sealed | None] = mapped_column(SealedText)
    email: Mapped[Sealed | None] = mapped_column(SealedText)
    phone: Mapped[Sealed | None] = mapped_column(SealedText)
    address: Mapped[Sealed | None] = mapped_column(SealedText)
    city: Mapped[Sealed | None] = mapped_column(SealedText)
    state: Mapped[Sealed | None] = mapped_column(SealedText)
    country: Mapped[Sealed | None] = mapped_column(SealedText)
    postal_code: Mapped[Sealed | None] = mapped_column(SealedText)


class CustomerLocator(Base):
    """How others find this person without learning anything. Goes with the erasure.

    Two customers may share an address or a number, but never a customer number: that row is `unique_external`."""

    __tablename__ = "customer_locators"

    locator: Mapped[str] = mapped_column(Text, primary_key=True)
    customer_id: Mapped[str] = mapped_column(Text, ForeignKey("customers.id"), primary_key=True, index=True)
    kind: Mapped[str] = mapped_column(Text)


class UnusableValue(Base):
    """A stored value that today's grammar refuses, or that is of no use, and why; for people to mend. Never the value."""

    __tablename__ = "unusable_values"

    customer_id: Mapped[str] = mapped_column(Text, ForeignKey("customers.id"), primary_key=True)
    field: Mapped[str] = mapped_column(Text, primary_key=True)
    reason: Mapped[str] = mapped_column(Text)


class ForgottenLocator(Base):
    """The customer number and the e-mail address of somebody who was forgotten, each as its locator: a keyed hash, without the
    pseudonym, without anything else. They keep a file from bringing them back, also under a new number, and mean nothing any
    more once the locator key has rotated."""

    __tablename__ = "forgotten_numbers"  # as it was called when it held numbers alone

    locator: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, server_default="external")
    forgotten_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class StaffLocator(Base):
    """The staff directory: a reading copy of what identity publishes, pseudonyms only."""

    __tablename__ = "staff_locators"

    locator: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, index=True)


def column(name: str) -> InstrumentedAttribute[Sealed | None]:
    """The encrypted column of a field of the policy."""
    found: InstrumentedAttribute[Sealed | None] = getattr(Customer, name)
    return found
