"""One-time codes, sealed."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from services.dsar.base import Base
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText


class Code(Base):
    """The one live code of a request, sealed under the request's key so that the same one can be sent again; expiry, tries.
    Using it deletes it."""

    __tablename__ = "codes"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[Sealed] = mapped_column(SealedText)
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(Integer, default=0)
