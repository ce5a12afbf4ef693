"""age v1 (https://age-encryption.org/v1), as far as it takes to make an age file again: same header, nonce and file key, same
bytes. So a set of 84 MB, which nothing can compress, is kept as its content (1 MB of xz) and 200 bytes of header."""

import base64
import hashlib
import hmac
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CHUNK = 64 * 1024
NONCE = 16
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def head(file: bytes) -> bytes:
    """Header and nonce: everything before the chunks."""
    mac = file.index(b"\n---") + 1
    return file[: file.index(b"\n", mac) + 1 + NONCE]


def file_key(file: bytes, identity: str) -> bytes:
    """What an X25519 identity (AGE-SECRET-KEY-1...) finds in the header's first stanza."""
    _, stanza, body = file.split(b"\n")[:3]
    share = _unpadded(stanza.split(b" ")[2])
    mine = X25519PrivateKey.from_private_bytes(_secret(identity))
    shared = mine.exchange(X25519PublicKey.from_public_bytes(share))
    key = _hkdf(shared, share + mine.public_key().public_bytes_raw(), b"age-encryption.org/v1/X25519")
    return ChaCha20Poly1305(key).decrypt(bytes(12), _unpadded(body), None)


def encrypted(begin: bytes, key: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The age file of `pieces` that begins with `begin` (of `head`)."""
    cipher = ChaCha20Poly1305(_hkdf(key, begin[-NONCE:], b"payload"))
    yield begin
    buffer, number = bytearray(), 0
    for piece in pieces:
        buffer += piece
        while len(buffer) > CHUNK:  # a full one may be the last, which is marked
            yield cipher.encrypt(number.to_bytes(11, "big") + b"\0", bytes(buffer[:CHUNK]), None)
            del buffer[:CHUNK]
            number += 1
    yield cipher.encrypt(number.to_bytes(11, "big") + b"\1", bytes(buffer), None)


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256, 32 bytes (RFC 5869)."""
    extracted = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\1", hashlib.sha256)


def _unpadded(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def _secret(identity: str) -> bytes:
    """The 32 bytes in Bech32 (BIP 173); its checksum was checked by who made it."""
    bits = "".join(f"{_BECH32.index(one):05b}" for one in identity.lower().rpartition("1")[2][:-6])
    return bytes(int(bits[at : at + 8], 2) for at in range(0, 256, 8))
