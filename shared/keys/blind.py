"""Blind index: HMAC-SHA-256 of a normalised value under a key per field (Vault KV `kept/<service>/blind`).

It lets equal values be found, and so leaks equality to who can read the table; nothing else.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from shared.errors import InvariantError
from shared.keys.vault import Vault
from shared.values.mailbox import Mailbox
from shared.values.phone import Phone


class BlindIndex:
    def __init__(self, service: str, vault: Vault) -> None:
        self._path = f"{service}/blind"
        self._vault = vault
        self._keys: dict[str, bytes] = {}

    async def of(self, field: str, normalised: Mailbox | Phone) -> bytes:
        """The 32-byte index of `normalised`. InvariantError if the field has no key; UnavailableError without Vault."""
        return await self._mac(field, normalised)

    async def tag(self, field: str, first: str, *more: str) -> bytes:
        """32 bytes that stand for several texts together, none of which has a NUL: never those of a value alone."""
        return await self._mac(field, "\0".join((first, *more)))

    async def _mac(self, field: str, text: str) -> bytes:
        await self._vault.require()
        if field not in self._keys:
            stored = await self._vault.kv(self._path)
            self._keys = {name: bytes.fromhex(key) for name, key in stored.items()}
        if field not in self._keys:
            raise InvariantError(f"no blind-index key for field {field}")
        mac = HMAC(self._keys[field], SHA256())
        mac.update(field.encode() + b"\0" + text.encode())
        return mac.finalize()
