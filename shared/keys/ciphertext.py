"""The type of personal values in events: what the keyring sealed, in base64. A value in clear is an error before there is an
event."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from shared.errors import InvariantError
from shared.keys.cipher import FORMAT, HEADER_BYTES, TAG_BYTES, Sealed, as_stored

RECEIVED: Final[Mapping[str, Any]] = {"received": True}  # the context in which an event that came is read
_SCHEMA = {"type": "string", "description": "base64 of a field ciphertext under the subject's data key"}


def _sealed(value: object, info: ValidationInfo) -> Sealed:
    if isinstance(value, Sealed):
        return value
    if info.context is not RECEIVED:
        raise InvariantError("an event carries what the keyring sealed, and nothing else")
    try:
        raw = base64.b64decode(str(value), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) < HEADER_BYTES + TAG_BYTES or raw[0] != FORMAT:
        raise ValueError("not a field ciphertext")
    return as_stored(raw)


def _text(value: Sealed) -> str:
    return base64.b64encode(value).decode("ascii")


Ciphertext = Annotated[Sealed, PlainValidator(_sealed), PlainSerializer(_text, return_type=str), WithJsonSchema(_SCHEMA)]
