"""Public keys for whoever asks: Vault is not asked by strangers, however often they come."""

import asyncio
import time
from collections import defaultdict

from shared.keys.vault import Vault

SECONDS_MAX = 5.0  # how old an answer may be; as long as who verifies tokens waits before it asks again


class PublicKeys:
    """Vault's public keys, at most SECONDS_MAX old; each key is asked for once, however many wait for it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: dict[str, tuple[float, dict[int, bytes]]] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, key: str, *, fresh: bool = False) -> dict[int, bytes]:
        """Version -> 32-byte Ed25519 public key, all versions that Vault still has. `fresh`: a version is missing.

        UnavailableError while Vault is away and the last answer too old; NotFoundError where there is no such key."""
        asked = time.monotonic()
        async with self._locks[key]:
            answered, found = self._known.get(key, (float("-inf"), {}))
            if answered < (asked if fresh else asked - SECONDS_MAX):
                found = await self._vault.public_keys(key)
                self._known[key] = (time.monotonic(), found)
            return found
