"""Locators: keyed hashes (Vault transit `kept-locator`) by which who already knows an identifier finds its subject.

Text form: `loc_<key version>_<64 hex>`. The hashed text is `<kind>:<normal form>`; only typed values come in (shared/values).
An identifier has one locator of each live version: all of them are stored, and all are asked with, so that whoever knows a
version that is live finds whoever is there.
"""

import base64
from collections.abc import Sequence

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from shared.errors import InvariantError
from shared.keys.blind import BlindIndex
from shared.keys.vault import Vault
from shared.keys.versions import Hashed, KeyVersions
from shared.values.identifiers import Identifier

KEY = "kept-locator"


class Locators:
    """Of one process."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._versions = KeyVersions(vault, KEY)

    async def of(self, identifiers: Sequence[Identifier], since: int = 0) -> list[tuple[str, ...]]:
        """Of each identifier, in order, the locators under every live version (that is not before `since`), the newest first.
        External ids are written `<kind of thing>:<id>`, e.g. `customer:17`."""
        if not identifiers:
            return []
        try:
            return await self._under(await self._versions.live(), identifiers, since)
        except InvariantError:  # a version was trimmed since we asked
            return await self._under(await self._versions.again(), identifiers, since)

    async def newest(self) -> int:
        """The newest version; what `of` gives afterwards has it, or a newer one."""
        return (await self._versions.live())[0]

    async def oldest(self) -> int:
        """The oldest that is live: locators of versions before it lead nowhere, and nobody can compute them."""
        return (await self._versions.live())[-1]

    async def _under(self, versions: Sequence[int], identifiers: Sequence[Identifier], since: int) -> list[tuple[str, ...]]:
        values = [f"{kind}:{value}".encode() for kind, value in identifiers]
        each = [await self._vault.hmac(KEY, values, version) for version in versions if version >= since]
        return [tuple(_format(macs[at]) for macs in each) for at in range(len(identifiers))]


def of_version(locator: InstrumentedAttribute[str], version: int) -> ColumnElement[bool]:
    """Whether a column's locator is of this version."""
    return locator.startswith(f"loc_{version}_", autoescape=True)


async def hashed(locators: Locators, blind: BlindIndex | None = None) -> Hashed:
    """Of which versions hashes are that are made from here on; a newer one may come meanwhile, an older one not.

    Without `blind` there are no blind indexes. UnavailableError."""
    return Hashed(0 if blind is None else await blind.version(), await locators.newest())


def _format(mac: str) -> str:
    _, version, digest = mac.split(":", 2)
    return f"loc_{version[1:]}_{base64.b64decode(digest).hex()}"
