"""Deterministic sealing of log entries: AES-256-GCM-SIV (RFC 8452). The nonce is derived from where the record stood, so two
owners of a partition write the same bytes; should a nonce ever repeat, GCM-SIV reveals only that two records are equal."""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from shared.errors import TamperError
from shared.keys.cipher import DataKey

NONCE_BYTES = 12
_NONCES = hashlib.sha256(b"kept-seal-nonce-1\x00")


def nonce_for(place: bytes) -> bytes:
    """The nonce of a place: the first 96 bits of SHA-256 over its canonical bytes."""
    digest = _NONCES.copy()
    digest.update(place)
    return digest.digest()[:NONCE_BYTES]


class PlaceCipher:
    """A data key, ready to seal many records. It lives no longer than its batch: a shred must reach every copy."""

    def __init__(self, key: DataKey) -> None:
        self._cipher = AESGCMSIV(key.secret)

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Ciphertext and tag."""
        return self._cipher.encrypt(nonce, plaintext, associated)

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """The plaintext, or TamperError, in one opaque way."""
        try:
            return self._cipher.decrypt(nonce, sealed, associated)
        except InvalidTag:
            raise TamperError("a sealed entry does not open") from None
