"""ML-DSA-44 (FIPS 204) over raw keys, without context: cosignatures of witnesses, which must hold against quantum computers."""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from shared.errors import InvariantError, MalformedError, TamperError

PUBLIC_BYTES, SIGNATURE_BYTES = 1312, 2420


def public_of(seed: bytes) -> bytes:
    """The 1312-byte public key of a 32-byte seed."""
    return _private(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """A 2420-byte signature of `message`, another one each time."""
    return _private(seed).sign(message)


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Nothing, or TamperError. MalformedError for a public key that is none."""
    try:
        key = MLDSA44PublicKey.from_public_bytes(public)
    except ValueError:
        raise MalformedError("not an ML-DSA-44 public key") from None
    except UnsupportedAlgorithm:
        raise InvariantError("this build of the cryptography package has no ML-DSA") from None
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise TamperError("the signature does not fit") from None


def _private(seed: bytes) -> MLDSA44PrivateKey:
    try:
        return MLDSA44PrivateKey.from_seed_bytes(seed)
    except UnsupportedAlgorithm:
        raise InvariantError("this build of the cryptography package has no ML-DSA") from None
