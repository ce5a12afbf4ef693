"""A known device: a browser (or a terminal) from which somebody proved once who they are at one address.

Its token is a random number and a date under a keyed hash of the address: only we can make it, it names nobody, and it is good
for that address alone. It lets nobody in; it has a lane of its own before a limit, which no stranger uses up (OWASP, device
cookies).
"""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.keys.blind import BlindIndex

DEVICE_LIFE = timedelta(days=180)


async def new_device(blind: BlindIndex, address: str, now: datetime) -> str:
    """The token of a device from which somebody has just proved themselves at `address`, a normal form or its locator."""
    nonce, until = secrets.token_hex(16), int((now + DEVICE_LIFE).timestamp())
    proof = await blind.tag("email", *_about(address, nonce, until))
    return f"{nonce}.{until}.{proof.hex()}"


async def known_device(blind: BlindIndex, addresses: Sequence[str], token: str, now: datetime) -> str:
    """The number of this device, if it is known now at one of `addresses` (those that one mailbox has); else empty. Tokens of
    before a rotation are good until the old version is trimmed."""
    nonce, _, rest = token.partition(".")
    until, _, proof = rest.partition(".")
    if not (until.isascii() and until.isdigit() and len(until) <= 12) or int(until) <= now.timestamp():
        return ""
    rights = [one for address in addresses for one in await blind.tags("email", *_about(address, nonce, int(until)))]
    same = [hmac.compare_digest(one.hex().encode(), proof.encode()) for one in rights]
    return nonce if any(same) else ""


def _about(address: str, nonce: str, until: int) -> tuple[str, str, str, str]:
    return address, "known", nonce, str(until)
