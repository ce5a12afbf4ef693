"""Customer records, on which several rooms work. Every personal field is sealed under the person's own data key; the rest is
pseudonyms and hashes."""

from datetime import date, datetime

from sqlalchemy import Boolean, Date, DateTime, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Text, false, text
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from services.customers.base import Base
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText
from shared.keys.versions import Hashed
from shared.values.identifiers import NORMAL_FORM


class Customer(Base):
    """One customer. After an erasure only pseudonym and dates remain: the tombstone."""

    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, default=1)
    owner_id: Mapped[str | None] = mapped_column(Text)  # the user who looks after this person; None: unowned (ownership.py)
    # While it is unowned: the representative's employee number, and the locator of it by which the user is found. Records that
    # came before the number was kept have the locator alone. (The locator stays beside the id for a process of the version
    # before, which goes by it; nothing reads it there any more.)
    owner_number: Mapped[Sealed | None] = mapped_column(SealedText)
    owner_locator: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # Of which the hashes are made: the normal form, and the versions of both keys (shared/renewal.py).
    normal_form: Mapped[int] = mapped_column(SmallInteger, default=NORMAL_FORM)
    index_version: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
    locator_version: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1")
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

    __table_args__ = (
        Index(
            "customers_owned", "owner_id", text('id COLLATE "C"')
        ),  # a page of a team's is the first of each member's (actions.py, page_of)
        Index("customers_hashed", "normal_form", "index_version", "locator_version"),
        Index("customers_unowned", "owner_locator", postgresql_where=text("owner_id IS NULL AND erased_at IS NULL")),
    )

    def rehashed(self, hashed: Hashed) -> None:
        """Some of the hashes are of these versions from now on: where others are older, or these, that counts."""
        self.index_version = min(self.index_version, hashed.index)
        self.locator_version = min(self.locator_version, hashed.locators)


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


class ForgottenMark(Base):
    """The customer number or the e-mail address of somebody who was forgotten, as a keyed hash (forgotten.py), without the
    pseudonym: they keep a file from bringing them back, also under a new number."""

    __tablename__ = "forgotten"

    mark: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    forgotten_on: Mapped[date] = mapped_column(Date)


class ForgottenLocator(Base):
    """As ForgottenMark, under the locators' key, with which it ends: what erasures left before there were marks, and still
    leave for a process of the version before. `taken_over`: there is a mark for it."""

    __tablename__ = "forgotten_numbers"  # as it was called when it held numbers alone

    locator: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, server_default="external")
    forgotten_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    taken_over: Mapped[bool] = mapped_column(Boolean, server_default=false())


class StaffLocator(Base):
    """The staff directory: a reading copy of what identity publishes, pseudonyms only."""

    __tablename__ = "staff_locators"

    locator: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, index=True)


_NUMBERS = ("number", "owner_number")  # which record it is, and for whom it waits
FIELDS = tuple(
    one.key for one in Customer.__table__.columns if isinstance(one.type, SealedText) and one.key not in _NUMBERS
)  # of a person: each has its rule in policy/field_policy.toml (a test holds it), and is declared nowhere else


def column(name: str) -> InstrumentedAttribute[Sealed | None]:
    """The encrypted column of a field of the policy."""
    found: InstrumentedAttribute[Sealed | None] = getattr(Customer, name)
    return found
