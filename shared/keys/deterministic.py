"""Deterministic sealing of log entries: AES-256-GCM-SIV (RFC 8452). The nonce is derived from where the record stood, so two
owners of a partition write the same bytes; should a nonce ever repeat, GCM-SIV reveals only that two records are equal."""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from shared.errors import TamperError
from shared.keys.cipher import DataKey

NONCE_BYTES = 12


def nonce_for(place: bytes) -> bytes:
    """The nonce of a place: the first 96 bits of SHA-256 over its canonical bytes."""
    return hashlib.sha256(b"kept-seal-nonce-1\x00" + place).digest()[:NONCE_BYTES]


def seal_at(key: DataKey, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Ciphertext and tag."""
    return AESGCMSIV(key.secret).encrypt(nonce, plaintext, associated)


def open_at(key: DataKey, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """The plaintext, or TamperError, in one opaque way."""
    try:
        return AESGCMSIV(key.secret).decrypt(nonce, sealed, associated)
    except InvalidTag:
        raise TamperError("a sealed entry does not open") from None
