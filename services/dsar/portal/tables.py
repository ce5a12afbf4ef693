"""How often somebody did what is limited."""

from datetime import datetime

from sqlalchemy import DateTime, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.dsar.base import Base


class Counter(Base):
    """What somebody took of a limit (counting.py): a keyed hash of whose it is, and when all of it is given back."""

    __tablename__ = "counters"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    spent_until: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
