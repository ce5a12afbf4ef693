"""A stand-in for Vault, for tests that ask nothing of it but a keyed hash and a wrapped key, beside a real PostgreSQL."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from shared.errors import InvariantError, NotFoundError, UnavailableError
from shared.keys.vault import Versions


class StandIn:
    """Of Vault: wraps nothing, hashes with a key. `live`: of every key, the newest version and the oldest."""

    away = False
    live = Versions(1, 1)

    async def require(self) -> None:
        if self.away:
            raise UnavailableError("vault")

    async def encrypt(self, key: str, values: Sequence[bytes]) -> list[str]:
        return [f"vault:v1:{base64.b64encode(one).decode()}" for one in values]

    async def decrypt(self, key: str, values: Sequence[str]) -> list[bytes]:
        return [base64.b64decode(one.split(":", 2)[2]) for one in values]

    async def versions(self, key: str) -> Versions:
        return self.live if key != "kept-customers-forgotten" else Versions(1, 1)

    async def hmac(self, key: str, values: Sequence[bytes], version: int) -> list[str]:
        live = await self.versions(key)
        if not live.oldest <= version <= live.newest:
            raise InvariantError("the key service did not accept the request")
        macs = [hmac.digest(f"{key}/{version}".encode(), one, hashlib.sha256) for one in values]
        return [f"vault:v{version}:{base64.b64encode(mac).decode()}" for mac in macs]

    async def kv(self, path: str) -> dict[str, str]:
        raise NotFoundError("no such secret")
