"""The metadata that all of audit's tables share, kernel tables included."""

from sqlalchemy.orm import DeclarativeBase

from shared.db import kernel_tables


class Base(DeclarativeBase):
    """Every table of audit."""


TABLES = kernel_tables(Base.metadata)
