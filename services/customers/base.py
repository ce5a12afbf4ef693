"""The metadata that all of customers' tables share, kernel tables included."""

from sqlalchemy.orm import DeclarativeBase

from shared.db import kernel_tables


class Base(DeclarativeBase):
    """Every table of customers."""


TABLES = kernel_tables(Base.metadata)
