"""Signs tokens in Vault. The private key never leaves it."""

from collections.abc import Mapping
from typing import Any

from services.identity.access.model import SIGNING_KEY, compact, jwks, signing_input
from shared.errors import UnavailableError
from shared.keys.public import PublicKeys
from shared.keys.vault import Vault


class TokenSigner:
    """Knows the newest version of the signing key, because a token names it before it is signed."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._keys = PublicKeys(vault)
        self._newest: int | None = None

    async def published(self) -> dict[str, list[dict[str, str]]]:
        """The key set that others verify with."""
        return jwks(await self._keys.of(SIGNING_KEY))

    async def sign(self, claims: Mapping[str, Any]) -> str:
        """A signed token. When the key was rotated since the last one, the second try names the new version."""
        for _ in range(2):
            if self._newest is None:
                self._newest = max(await self._keys.of(SIGNING_KEY, fresh=True))  # published before it signs
            text = signing_input(claims, self._newest)
            version, signature = await self._vault.sign(SIGNING_KEY, text.encode("ascii"))
            if version == self._newest:
                return compact(text, signature)
            self._newest = None
        raise UnavailableError("the signing key is being rotated", retry_after=1)
