"""Where a request comes from: the address that a proxy of ours says, and nobody else's word.

A *source* is an IPv4 address or an IPv6 network of 56 bits, which is what one household is given (RIPE-690, 4.2). It is a
personal datum (Breyer, C-582/14): it stays in memory, or is kept as a keyed hash for a short time, and is never logged.
"""

import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fastapi import Request
from starlette.types import Scope

from shared.settings import ServiceSettings

HOP_HEADER = "X-Kept-Hop"
SOURCE = "source"  # where a request's state has it
Network = IPv4Network | IPv6Network


class Hops:
    """Whose `X-Forwarded-For` is believed: a proxy's within `trusted`, which knows `secret` where there is one."""

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Hops":
        file = settings.hop_secret_file
        return cls(settings.trusted_proxies, file.read_text().strip() if file else "")

    def __init__(self, trusted: Sequence[str], secret: str = "") -> None:
        self._trusted: tuple[Network, ...] = tuple(ip_network(one, strict=False) for one in trusted)
        self._secret = secret.encode()

    def source(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """The source of a request; of whoever brought it, where that is no proxy of ours."""
        at = str((scope.get("client") or ("",))[0])
        if self._believed(at) and hmac.compare_digest(headers.get(HOP_HEADER.lower(), "").encode("latin-1"), self._secret):
            # From the nearest hop outwards: what a proxy of ours was told by somebody else is only their word.
            said = [one.strip() for one in headers.get("x-forwarded-for", "").split(",") if one.strip()]
            for one in reversed(said):
                at = one
                if not self._believed(one):
                    break
        return network(at)

    def _believed(self, address: str) -> bool:
        return _within(address, self._trusted)


HOUSEHOLD_BITS = 56
LATELY = 1_024  # addresses whose source is not worked out anew; in memory alone


def source_of(request: Request) -> str:
    """The source of a request that is answered."""
    found: str = getattr(request.state, SOURCE)
    return found


@lru_cache(LATELY)
def _within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        one = _plain(address)
    except ValueError:
        return False
    return any(one in net for net in networks)


@lru_cache(LATELY)
def network(address: str) -> str:
    """The source that an address belongs to; what is none is one source together."""
    try:
        one = _plain(address)
    except ValueError:
        return "unknown"
    return str(ip_network((one, HOUSEHOLD_BITS), strict=False)) if isinstance(one, IPv6Address) else str(one)


def _plain(address: str) -> IPv4Address | IPv6Address:
    one = ip_address(address.strip("[]").partition("%")[0])
    return one.ipv4_mapped or one if isinstance(one, IPv6Address) else one
