"""Field ciphertext (DESIGN.md section 5): AES-256-GCM, `version(1) ‖ key version(2) ‖ nonce(12) ‖ ciphertext+tag`.

The associated data binds a value to its place. Decryption fails in one opaque way.
"""

import os
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import InvariantError, TamperError, TooLargeError

FORMAT = 1
NONCE_BYTES = 12
HEADER_BYTES = 1 + 2 + NONCE_BYTES
TAG_BYTES = 16
KEY_BYTES = 32
PLAINTEXT_BYTES_MAX = 1024 * 1024  # one field; files have a format of their own


class Sealed(bytes):
    """A field ciphertext: the only thing that an encrypted column or an event's Ciphertext takes. Nobody makes one but a key's
    cipher below, and what brings it back as it was stored (`as_stored`): a value in clear never becomes one."""

    def __new__(cls, *_: object) -> Self:
        raise InvariantError("only a key's cipher seals")

    def __repr__(self) -> str:
        return f"Sealed({len(self)} bytes)"


@dataclass(frozen=True)
class Place:
    """Where a value belongs; a value moved elsewhere does not open."""

    service: str
    table: str
    column: str
    subject: str

    def associated_data(self) -> bytes:
        """Each part prefixed by its length (2 bytes), so that no two places share their bytes."""
        return of_column(self.service, self.table, self.column) + measured(self.subject)


def of_column(service: str, table: str, column: str) -> bytes:
    """What the associated data of all values of one column begins with; the measured subject follows."""
    return b"".join(measured(part) for part in ("kept-field-1", service, table, column))


def measured(part: str) -> bytes:
    """`part` behind its length."""
    raw = part.encode()
    return len(raw).to_bytes(2, "big") + raw


@dataclass(frozen=True, slots=True)
class DataKey:
    """A subject's data key, unwrapped. Python cannot wipe memory: it lives until the cache lets it go."""

    version: int
    secret: bytes

    def __repr__(self) -> str:
        return f"DataKey(version={self.version})"


def new_data_key(version: int = 1) -> DataKey:
    """A key from the operating system's random source."""
    return DataKey(version, os.urandom(KEY_BYTES))


def as_stored(raw: bytes) -> Sealed:
    """What a column or an event of before brings. For shared/keys alone; what is no ciphertext does not open."""
    return bytes.__new__(Sealed, raw)


class FieldCipher:
    """A data key, ready for many fields: what AES takes to begin is done once. It lives no longer than the unit of work."""

    __slots__ = ("_aead", "_head")

    def __init__(self, key: DataKey) -> None:
        self._aead = AESGCM(key.secret)
        self._head = bytes([FORMAT]) + key.version.to_bytes(2, "big")

    def seal(self, place: bytes, plaintext: str, nonce: bytes | None = None) -> Sealed:
        """Encrypt `plaintext` for the place with this associated data."""
        raw = plaintext.encode()
        if len(raw) > PLAINTEXT_BYTES_MAX:
            raise TooLargeError(f"a field holds at most {PLAINTEXT_BYTES_MAX} bytes")
        nonce = nonce or os.urandom(NONCE_BYTES)
        return as_stored(self._head + nonce + self._aead.encrypt(nonce, raw, place))

    def open(self, place: bytes, sealed: bytes) -> str:
        """The plaintext, or TamperError: wrong key, wrong place, changed bytes are not told apart."""
        if len(sealed) < HEADER_BYTES + TAG_BYTES or sealed[:3] != self._head:
            raise TamperError("a field does not open")
        try:
            return self._aead.decrypt(sealed[3:HEADER_BYTES], sealed[HEADER_BYTES:], place).decode()
        except InvalidTag:
            raise TamperError("a field does not open") from None


def seal(key: DataKey, place: Place, plaintext: str, *, nonce: bytes | None = None) -> Sealed:
    """Encrypt one `plaintext` for `place`. `nonce` is for published test vectors only."""
    return FieldCipher(key).seal(place.associated_data(), plaintext, nonce)


def open_(key: DataKey, place: Place, sealed: bytes) -> str:
    """The plaintext of one field, or TamperError."""
    return FieldCipher(key).open(place.associated_data(), sealed)


def key_version(sealed: bytes) -> int:
    """The version of the data key that a ciphertext names."""
    return int.from_bytes(sealed[1:3], "big")
