"""Locators: keyed hashes (Vault transit `kept-locator`) by which who already knows an identifier finds its subject.

Text form: `loc_<key version>_<64 hex>`. The hashed text is `<kind>:<normal form>`; only typed values come in (shared/values).
"""

import base64
from collections.abc import Sequence

from shared.keys.vault import Vault
from shared.values.identifiers import Identifier

KEY = "kept-locator"


async def locators(vault: Vault, identifiers: Sequence[Identifier]) -> list[str]:
    """One locator per identifier, in order. External ids are written `<kind of thing>:<id>`, e.g. `customer:17`."""
    macs = await vault.hmac(KEY, [f"{kind}:{value}".encode() for kind, value in identifiers])
    return [_format(mac) for mac in macs]


def _format(mac: str) -> str:
    _, version, digest = mac.split(":", 2)
    return f"loc_{version[1:]}_{base64.b64decode(digest).hex()}"
