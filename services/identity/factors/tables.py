"""Second factors. The secret is sealed under the user's own data key."""

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.base import Base
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText


class Factor(Base):
    """One authenticator per user. `last_step` is the newest time step whose code was used."""

    __tablename__ = "factors"

    user_id: Mapped[str] = mapped_column(Text, ForeignKey("users.id"), primary_key=True)
    secret: Mapped[Sealed | None] = mapped_column(SealedText)
    last_step: Mapped[int | None] = mapped_column(BigInteger)
