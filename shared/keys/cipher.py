"""Field ciphertext (DESIGN.md section 5): AES-256-GCM, `version(1) ‖ key version(2) ‖ nonce(12) ‖ ciphertext+tag`.

The associated data binds a value to its place. Decryption fails in one opaque way.
"""

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import TamperError, TooLargeError

FORMAT = 1
NONCE_BYTES = 12
HEADER_BYTES = 1 + 2 + NONCE_BYTES
TAG_BYTES = 16
KEY_BYTES = 32
PLAINTEXT_BYTES_MAX = 1024 * 1024  # one field; files have a format of their own


class Sealed(bytes):
    """A field ciphertext. The only thing an encrypted column accepts."""

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
        parts = [p.encode() for p in ("kept-field-1", self.service, self.table, self.column, self.subject)]
        return b"".join(len(p).to_bytes(2, "big") + p for p in parts)


@dataclass(frozen=True)
class DataKey:
    """A subject's data key, unwrapped. Python cannot wipe memory: it lives until the cache lets it go."""

    version: int
    secret: bytes

    def __repr__(self) -> str:
        return f"DataKey(version={self.version})"


def new_data_key(version: int = 1) -> DataKey:
    """A key from the operating system's random source."""
    return DataKey(version, os.urandom(KEY_BYTES))


def seal(key: DataKey, place: Place, plaintext: str, *, nonce: bytes | None = None) -> Sealed:
    """Encrypt `plaintext` for `place`. `nonce` is for published test vectors only."""
    raw = plaintext.encode()
    if len(raw) > PLAINTEXT_BYTES_MAX:
        raise TooLargeError(f"a field holds at most {PLAINTEXT_BYTES_MAX} bytes")
    nonce = nonce or os.urandom(NONCE_BYTES)
    head = bytes([FORMAT]) + key.version.to_bytes(2, "big") + nonce
    return Sealed(head + AESGCM(key.secret).encrypt(nonce, raw, place.associated_data()))


def open_(key: DataKey, place: Place, sealed: bytes) -> str:
    """The plaintext, or TamperError: wrong key, wrong place, changed bytes are not told apart."""
    if len(sealed) < HEADER_BYTES + TAG_BYTES or sealed[0] != FORMAT or key_version(sealed) != key.version:
        raise TamperError("a field does not open")
    try:
        raw = AESGCM(key.secret).decrypt(sealed[3:HEADER_BYTES], sealed[HEADER_BYTES:], place.associated_data())
    except InvalidTag:
        raise TamperError("a field does not open") from None
    return raw.decode()


def key_version(sealed: bytes) -> int:
    """The version of the data key that a ciphertext names."""
    return int.from_bytes(sealed[1:3], "big")
