"""Locators: keyed hashes (Vault transit `kept-locator`) by which who already knows an identifier finds its subject.

Text form: `loc_<key version>_<64 hex>`. The hashed text is `<kind>:<normalised value>`.
"""

import base64
from collections.abc import Sequence
from typing import Literal

from shared.keys.normalise import normalise_email, normalise_phone
from shared.keys.vault import Vault

Kind = Literal["email", "phone", "external"]
KEY = "kept-locator"


async def locators(vault: Vault, identifiers: Sequence[tuple[Kind, str]]) -> list[str]:
    """One locator per identifier, in order. External ids are written `<kind of thing>:<id>`, e.g. `customer:17`."""
    macs = await vault.hmac(KEY, [_text(kind, value).encode() for kind, value in identifiers])
    return [_format(mac) for mac in macs]


def _text(kind: Kind, value: str) -> str:
    if kind == "email":
        value = normalise_email(value)
    elif kind == "phone":
        value = normalise_phone(value)
    return f"{kind}:{value}"


def _format(mac: str) -> str:
    _, version, digest = mac.split(":", 2)
    return f"loc_{version[1:]}_{base64.b64decode(digest).hex()}"
