"""The parts that the composition root hands to the rooms: a plain value, so that no room looks anything up."""

from dataclasses import dataclass

from services.customers.policy.model import FieldPolicy
from shared.keys.blind import BlindIndex
from shared.keys.locators import Locators, hashed
from shared.keys.marks import Marks
from shared.keys.versions import Hashed


@dataclass(frozen=True)
class Tools:
    """`marks`: of who was forgotten."""

    policy: FieldPolicy
    blind: BlindIndex
    locators: Locators
    marks: Marks

    async def hashed(self) -> Hashed:
        """Of which versions a customer's hashes are that are made from here on."""
        return await hashed(self.locators, self.blind)
