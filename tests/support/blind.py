"""Keyed hashes without Vault."""

import hashlib
from typing import cast

from shared.keys.blind import BlindIndex, Index


class Blind:
    """As shared/keys/blind.py. `versions`: those that are live, the newest first."""

    def __init__(self, *versions: int) -> None:
        self.versions = versions or (1,)

    async def of(self, name: str, normalised: str) -> Index:
        return Index(_mac(self.versions[0], name, normalised), self.versions[0])

    async def every(self, name: str, normalised: str) -> list[bytes]:
        return [_mac(version, name, normalised) for version in self.versions]

    async def tag(self, name: str, *texts: str) -> bytes:
        return (await self.of(name, "\0".join(texts))).value

    async def tags(self, name: str, *texts: str) -> list[bytes]:
        return await self.every(name, "\0".join(texts))


def _mac(version: int, name: str, text: str) -> bytes:
    return hashlib.blake2b(f"{name}\0{text}".encode(), key=b"k%d" % version).digest()


def blind(*versions: int) -> BlindIndex:
    """Of these versions."""
    return cast(BlindIndex, Blind(*versions))


BLIND = blind()
