"""Which versions of the key of a keyed hash are live: between a rotation and the trim there are two.

Whoever looks for a value looks under every live version. What is stored under one version alone is written under the newest
that this process has known for SETTLE_SECONDS: since everybody who looks has asked Vault within REFRESH_SECONDS, nobody misses
what was written under a version that they have not heard of.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from shared.keys.vault import Vault

REFRESH_SECONDS = 5.0  # how old an answer about versions may be
SETTLE_SECONDS = 3 * REFRESH_SECONDS


@dataclass(frozen=True)
class Hashed:
    """What a row's hashes are made of, at least: the versions of the keys of its blind indexes and of its locators."""

    index: int
    locators: int


class KeyVersions:
    """Of one transit key."""

    def __init__(self, vault: Vault, key: str) -> None:
        self._vault, self._key = vault, key
        self._known: Mapping[int, float] = {}  # live version -> since when this process knows it
        self._asked_at = -REFRESH_SECONDS
        self._lock = asyncio.Lock()

    async def live(self) -> list[int]:
        """The newest first. UnavailableError where Vault cannot say it."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= REFRESH_SECONDS or not self._known:
                await self._ask()
        return sorted(self._known, reverse=True)

    async def again(self) -> list[int]:
        """As `live`, asked now: one of them was refused."""
        async with self._lock:
            await self._ask()
        return sorted(self._known, reverse=True)

    async def settled(self) -> int:
        """Under which is written what is stored under one version alone: until the newest has settled, one before it."""
        *newer, oldest = await self.live()
        now = time.monotonic()
        return next((one for one in newer if now - self._known[one] >= SETTLE_SECONDS), oldest)

    async def _ask(self) -> None:
        asked_at = time.monotonic()
        found = await self._vault.versions(self._key)
        self._known = {one: self._known.get(one, asked_at) for one in range(found.oldest, found.newest + 1)}
        self._asked_at = asked_at
