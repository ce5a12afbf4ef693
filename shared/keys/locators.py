"""Locators: keyed hashes by which services meet without telling each other anything.

HMAC-SHA-256 by Vault transit (`kept-locator`; the key never leaves Vault) of kind, a zero byte and the normalised
identifier: `loc_<key version>_<64 hex>`. Whoever may not call the key learns nothing from a locator.
"""

import base64
from collections.abc import Sequence
from typing import Protocol

from shared.errors import InvariantError
from shared.keys.normalise import normalise_email, normalise_external, normalise_phone

LOCATOR_KEY = "kept-locator"
_NORMALISE = {"email": normalise_email, "phone": normalise_phone, "external": normalise_external}


class Hmacs(Protocol):
    """The part of the Vault client that this needs."""

    async def hmac(self, key: str, inputs: Sequence[bytes]) -> list[str]: ...


async def locators(vault: Hmacs, identifiers: Sequence[tuple[str, str]]) -> list[str]:
    """One locator per (kind, value), in order; kinds `email`, `phone` (with `+`), `external` (`customer:17`)."""
    inputs = []
    for kind, value in identifiers:
        if kind not in _NORMALISE:
            raise InvariantError(f"no locator kind {kind}")
        inputs.append(kind.encode() + b"\0" + _NORMALISE[kind](value).encode())
    return [_text(one) for one in await vault.hmac(LOCATOR_KEY, inputs)]


def _text(answer: str) -> str:
    _, version, mac = answer.split(":", 2)
    return f"loc_{int(version.removeprefix('v'))}_{base64.b64decode(mac).hex()}"
