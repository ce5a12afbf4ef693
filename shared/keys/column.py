"""The column type of encrypted fields. It binds ciphertext only: writing a plain value is an error before it is SQL."""

from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from shared.errors import InvariantError
from shared.keys.cipher import Sealed, as_stored


class SealedText(TypeDecorator[Sealed]):
    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sealed | None, dialect: Dialect) -> bytes | None:
        if value is not None and not isinstance(value, Sealed):
            raise InvariantError("an encrypted column takes a Sealed value only")
        return None if value is None else bytes(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Sealed | None:
        return None if value is None else as_stored(value)
