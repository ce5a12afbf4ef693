"""Blind index: HMAC-SHA-256 of a normalised value under a key per field. It lets equal values be found, and so leaks equality
to who can read the table; nothing else.

A field's key is what Vault's transit key `kept-<service>-blind` (type hmac) makes of the field's name: each version of that key
gives other ones, and a trimmed version none. Installations of before have the keys of version 1 in KV (`kept/<service>/blind`),
until they are rotated; others have nothing there.
"""

import base64
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from shared.errors import InvariantError, NotFoundError, UnavailableError
from shared.keys.vault import Vault
from shared.keys.versions import KeyVersions
from shared.values.mailbox import Mailbox
from shared.values.phone import Phone

FIELDS = ("email", "phone")
FIRST = 1


def key_name(service: str) -> str:
    """Of the transit key from which a service's keys are made."""
    return f"kept-{service}-blind"


def stored(service: str) -> str:
    """Where an installation of before has the keys of version 1."""
    return f"{service}/blind"


class Index(NamedTuple):
    """A blind index to be stored, and the version that it is of."""

    value: bytes
    version: int


class BlindIndex:
    def __init__(self, service: str, vault: Vault) -> None:
        self._key, self._before = key_name(service), stored(service)
        self._vault = vault
        self._versions = KeyVersions(vault, self._key)
        self._keys: dict[tuple[int, str], bytes] = {}

    async def of(self, field: str, normalised: Mailbox | Phone) -> Index:
        """The 32-byte index of `normalised`, to be stored. InvariantError for a field without a key; UnavailableError without
        Vault."""
        version = await self.version()
        return Index(await self._mac(version, field, normalised), version)

    async def every(self, field: str, normalised: Mailbox | Phone) -> list[bytes]:
        """Those under every live version, the newest first: to look for."""
        return await self._every(field, normalised)

    async def tag(self, field: str, first: str, *more: str) -> bytes:
        """32 bytes that stand for several texts together, none of which has a NUL: never those of a value alone. After a
        rotation they are others, and what is kept under them begins anew."""
        return await self._mac(await self.version(), field, "\0".join((first, *more)))

    async def tags(self, field: str, first: str, *more: str) -> list[bytes]:
        """Those under every live version: to compare with."""
        return await self._every(field, "\0".join((first, *more)))

    async def version(self) -> int:
        """Under which `of` makes what is stored."""
        await self._vault.require()
        return await self._versions.settled()

    async def _every(self, field: str, text: str) -> list[bytes]:
        await self._vault.require()
        return [await self._mac(one, field, text) for one in await self._versions.live()]

    async def _mac(self, version: int, field: str, text: str) -> bytes:
        mac = HMAC(await self._key_of(version, field), SHA256())
        mac.update(field.encode() + b"\0" + text.encode())
        return mac.finalize()

    async def _key_of(self, version: int, field: str) -> bytes:
        if field not in FIELDS:
            raise InvariantError(f"no blind-index key for field {field}")
        if (version, field) not in self._keys:
            await self._learn(version)
        return self._keys[version, field]

    async def _learn(self, version: int) -> None:
        live = await self._versions.live()
        self._keys = {known: key for known, key in self._keys.items() if known[0] in live}
        found = await self._stored() if version == FIRST else {}
        if not found:
            try:
                made = await self._vault.hmac(self._key, [f"blind index {one}".encode() for one in FIELDS], version)
            except InvariantError:
                await self._versions.again()
                raise UnavailableError("a version of the key was trimmed at this moment", retry_after=1) from None
            found = {one: base64.b64decode(mac.rpartition(":")[2]) for one, mac in zip(FIELDS, made, strict=True)}
        self._keys |= {(version, one): key for one, key in found.items()}

    async def _stored(self) -> dict[str, bytes]:
        """The keys of before; nothing where there are none."""
        try:
            return {one: bytes.fromhex(key) for one, key in (await self._vault.kv(self._before)).items()}
        except NotFoundError:
            return {}
