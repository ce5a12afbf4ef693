"""The metadata that all of backup's tables share, kernel tables included."""

from sqlalchemy.orm import DeclarativeBase

from shared.db import kernel_tables


class Base(DeclarativeBase):
    """backup's own tables."""


TABLES = kernel_tables(Base.metadata)
