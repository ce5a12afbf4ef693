"""Which counters a try at signing in stands before, so that whoever guesses waits himself, and nobody else does.

A browser or terminal that has signed in somebody before is a *known device* (shared/keys/devices.py) for that address alone. It
has a lane of its own: whatever strangers guess, from wherever, it is never kept out. Everybody else stands before three
counters: of their source at this address, of their source at all addresses, and of all strangers at this address. The last one
only slows: a minute at most, so that a person on a new device waits a little and never for good.
"""

from dataclasses import dataclass
from datetime import datetime

from services.identity.sessions.model import ALL_STRANGERS, ONE_SOURCE, ONE_TARGET, Rule
from shared.keys.blind import BlindIndex
from shared.keys.devices import known_device
from shared.values.mailbox import Mailbox


@dataclass(frozen=True)
class Counted:
    """One counter: its key, which tells nobody what it is of, and by which rule it waits."""

    key: bytes
    rule: Rule


@dataclass(frozen=True)
class Lanes:
    """The counters of one try. `own` goes back to nothing when the password was right."""

    own: Counted
    others: tuple[Counted, ...] = ()

    @property
    def all(self) -> list[Counted]:
        """In one order for everybody: two tries at once must not wait for one another."""
        return sorted((self.own, *self.others), key=lambda one: one.key)


async def lanes_of(blind: BlindIndex, address: Mailbox, source: str, device: str, now: datetime) -> Lanes:
    """The counters of a try at `address`, a normal form. A source leaves nothing here but a keyed hash."""
    if nonce := await known_device(blind, [address], device, now):
        return Lanes(Counted(await blind.tag("email", address, "device", nonce), ONE_TARGET))
    at_all = Counted(await blind.tag("email", "", "source", source), ONE_SOURCE)
    strangers = Counted(await blind.tag("email", address, "strangers"), ALL_STRANGERS)
    return Lanes(Counted(await blind.tag("email", address, "source", source), ONE_TARGET), (at_all, strangers))
