"""Field encryption: AES-256-GCM under a person's data key, bound to its place.

    ciphertext = version(1) ‖ key version(2, big-endian) ‖ nonce(12) ‖ ciphertext ‖ tag(16)

The associated data names service, table, column and subject, each with its length before it, so a value moved to
another column, row or person does not open. Opening fails in one opaque way: TamperError without a reason.
Python cannot wipe memory: a data key lives in the process until the garbage collector takes it.
"""

import os
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import InvariantError, MalformedError, TamperError

VERSION = 1
NONCE_BYTES = 12
TAG_BYTES = 16
HEADER_BYTES = 3
KEY_BYTES = 32
PLAINTEXT_BYTES_MAX = 1 << 20  # one field; anything larger is a blob, not a field
KEY_VERSION_MAX = 0xFFFF


class Sealed(bytes):
    """A field's ciphertext. A type of its own, so that a column can refuse everything else."""

    def __repr__(self) -> str:
        return f"Sealed({len(self)} bytes)"

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """`raw` if it can be a field ciphertext, else MalformedError."""
        if len(raw) < HEADER_BYTES + NONCE_BYTES + TAG_BYTES or raw[0] != VERSION:
            raise MalformedError("not a field ciphertext")
        return cls(raw)

    @property
    def key_version(self) -> int:
        """Which version of the subject's data key opens it."""
        return int.from_bytes(self[1:HEADER_BYTES], "big")


@dataclass(frozen=True)
class Place:
    """Where a value lives."""

    service: str
    table: str
    column: str
    subject: str

    def bytes(self) -> bytes:
        """The place as associated data: unambiguous, because each part has its length before it."""
        parts = [one.encode() for one in ("kept-field", self.service, self.table, self.column, self.subject)]
        return b"".join(len(one).to_bytes(2, "big") + one for one in parts)


@dataclass(frozen=True)
class DataKey:
    """A subject's data key, in clear, in memory only."""

    subject: str
    version: int
    secret: bytes = field(repr=False)

    @classmethod
    def make(cls, subject: str, version: int = 1) -> Self:
        """A fresh key from the operating system's random source."""
        return cls(subject, version, os.urandom(KEY_BYTES))


def seal(key: DataKey, place: Place, plaintext: str) -> Sealed:
    """Encrypt `plaintext` for `place`; InvariantError when the key belongs to someone else."""
    return _seal(key, place, plaintext, os.urandom(NONCE_BYTES))


def _seal(key: DataKey, place: Place, plaintext: str, nonce: bytes) -> Sealed:
    _check(key, place)
    raw = plaintext.encode()
    if len(raw) > PLAINTEXT_BYTES_MAX:
        raise InvariantError(f"a field of more than {PLAINTEXT_BYTES_MAX} bytes")
    header = bytes([VERSION]) + key.version.to_bytes(2, "big")
    return Sealed(header + nonce + AESGCM(key.secret).encrypt(nonce, raw, place.bytes()))


def open_(key: DataKey, place: Place, sealed: bytes) -> str:
    """The plaintext, or TamperError: wrong key, wrong place, changed or cut."""
    _check(key, place)
    try:
        value = Sealed.parse(sealed)
        if value.key_version != key.version:
            raise InvalidTag
        nonce = value[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        return AESGCM(key.secret).decrypt(nonce, bytes(value[HEADER_BYTES + NONCE_BYTES :]), place.bytes()).decode()
    except (InvalidTag, MalformedError, UnicodeDecodeError):
        raise TamperError("a sealed field does not open") from None


def _check(key: DataKey, place: Place) -> None:
    if key.subject != place.subject:
        raise InvariantError("a data key of another subject")
    if len(key.secret) != KEY_BYTES or not 1 <= key.version <= KEY_VERSION_MAX:
        raise InvariantError("not a data key")
