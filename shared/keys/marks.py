"""Marks: keyed hashes of identifiers for a list that one service keeps for itself. Text form: `<prefix>_<64 hex>`.

The key is what a transit key (type hmac) makes of a fixed text, asked of Vault once: marking a file's people costs no calls.
"""

import base64
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from shared.keys.vault import Vault
from shared.values.identifiers import Identifier

LABEL, VERSION = b"kept-marks-1", 1


class Marks:
    """Under the transit key `name`, of which there is one version for ever."""

    def __init__(self, vault: Vault, name: str, prefix: str) -> None:
        self._vault, self._name, self._prefix = vault, name, prefix
        self._key = b""

    async def of(self, identifiers: Sequence[Identifier]) -> list[str]:
        """One mark per identifier, in order. UnavailableError without Vault, also where the key is known."""
        await self._vault.require()
        if not self._key:
            (made,) = await self._vault.hmac(self._name, [LABEL], VERSION)
            self._key = base64.b64decode(made.rpartition(":")[2])
        return [self._mark(f"{kind}:{value}".encode()) for kind, value in identifiers]

    def _mark(self, text: bytes) -> str:
        mac = HMAC(self._key, SHA256())
        mac.update(text)
        return f"{self._prefix}_{mac.finalize().hex()}"
