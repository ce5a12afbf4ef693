"""The parts that the composition root hands to the rooms: a plain value, so that no room looks anything up."""

from dataclasses import dataclass, field
from datetime import timedelta

from services.identity.access.signer import TokenSigner
from services.identity.accounts.passwords import Passwords
from services.identity.accounts.turnstile import Turnstile
from shared.keys.blind import BlindIndex


@dataclass(frozen=True)
class Tools:
    """`lifetime`: of a session."""

    passwords: Passwords
    blind: BlindIndex
    signer: TokenSigner
    lifetime: timedelta
    turnstile: Turnstile = field(default_factory=Turnstile)
