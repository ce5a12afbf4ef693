"""Blind index: equality search on an encrypted field, by HMAC-SHA-256 of the normalised value under a per-field key.

It leaks which rows hold equal values, and nothing else to someone without the key. The keys live in Vault KV
(`kept/<service>/blind`, field -> hex) and in this process's memory.
"""

import os

from cryptography.hazmat.primitives import hashes, hmac

from shared.errors import NotFoundError, TamperError
from shared.keys.normalise import normalise_email, normalise_phone
from shared.keys.vault import Vault

__all__ = ["BlindIndex", "normalise_email", "normalise_phone"]

KEY_BYTES = 32


class BlindIndex:
    """One per service. A field's key is made at its first use."""

    def __init__(self, vault: Vault, service: str) -> None:
        self._vault = vault
        self._path = f"{service}/blind"
        self._keys: dict[str, bytes] = {}

    async def of(self, field: str, normalised: str) -> bytes:
        """The 32-byte index value of an already normalised value. UnavailableError when Vault is away (P5)."""
        await self._vault.require_healthy()
        if field not in self._keys:
            self._keys[field] = await self._key(field)
        mac = hmac.HMAC(self._keys[field], hashes.SHA256())
        mac.update(normalised.encode())
        return mac.finalize()

    async def _key(self, field: str) -> bytes:
        """Read the key, or make it. Compare-and-swap: of two processes that make it at once, one reads the other's."""
        for _ in range(3):
            known, version = await self._known()
            if field in known:
                return bytes.fromhex(known[field])
            try:
                await self._vault.kv_put(self._path, {**known, field: os.urandom(KEY_BYTES).hex()}, cas=version)
            except TamperError:
                continue  # someone wrote in between: read again
        known, _ = await self._known()
        return bytes.fromhex(known[field])

    async def _known(self) -> tuple[dict[str, str], int]:
        try:
            return await self._vault.kv_versioned(self._path)
        except NotFoundError:
            return {}, 0
