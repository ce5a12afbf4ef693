"""The column type of encrypted fields: binds `Sealed` and nothing else, so clear text cannot reach the database."""

from typing import Any

from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from shared.errors import InvariantError
from shared.keys.cipher import Sealed


class SealedText(TypeDecorator[Sealed]):
    """`Mapped[Sealed | None] = mapped_column(SealedText)`: stored as bytea. Reading it is `w.open(...)`, a visible act."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Only what `seal` returned gets through."""
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise InvariantError(f"an encrypted column was given a {type(value).__name__}")
        return bytes(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Sealed | None:
        """Typed again on the way out."""
        return None if value is None else Sealed(value)
