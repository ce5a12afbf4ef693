"""Ed25519 (RFC 8032) over raw keys: verifying what Vault signed, and signing where a key is at hand (tests, vectors)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import MalformedError, TamperError


def public_of(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64-byte signature of `message`."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Nothing, or TamperError. MalformedError for a public key that is none."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
    except ValueError:
        raise MalformedError("not an Ed25519 public key") from None
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise TamperError("the signature does not fit") from None
