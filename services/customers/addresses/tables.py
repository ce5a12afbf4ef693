"""Changes of addresses that wait, and what became of each. Addresses and secrets are sealed under the person's own key, and go
when the change is settled."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.customers.base import Base
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText

_AT = DateTime(timezone=True)


class AddressChange(Base):
    """One change of one person's e-mail address. `old_email` is the proven one, to which codes go meanwhile."""

    __tablename__ = "address_changes"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    customer_id: Mapped[str] = mapped_column(Text, ForeignKey("customers.id"), index=True)
    state: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(_AT)
    told_at: Mapped[datetime | None] = mapped_column(_AT)  # a mail server took the mail to the old address
    confirmed_at: Mapped[datetime | None] = mapped_column(_AT)  # the new mailbox said yes
    agreed_at: Mapped[datetime | None] = mapped_column(_AT)  # the old one did
    settled_at: Mapped[datetime | None] = mapped_column(_AT)
    how: Mapped[str | None] = mapped_column(Text)
    old_email: Mapped[Sealed | None] = mapped_column(SealedText)
    new_email: Mapped[Sealed | None] = mapped_column(SealedText)
    old_secret: Mapped[Sealed | None] = mapped_column(SealedText)
    new_secret: Mapped[Sealed | None] = mapped_column(SealedText)

    __table_args__ = (
        # Two corrections at the same moment: one of them waits, never both.
        Index("address_changes_one_waiting", "customer_id", unique=True, postgresql_where=text("state = 'waiting'")),
    )
