"""The heads: what each shard's checkpoint may say next."""

from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.audit.base import Base


class Head(Base):
    """`base`: the broker's offset of leaf 0. Moved by compare-and-swap on (size, root) only."""

    __tablename__ = "heads"
    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    partition: Mapped[int] = mapped_column(Integer)
    generation: Mapped[int] = mapped_column(Integer)
    base: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary)
