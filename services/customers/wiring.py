"""The parts that customers' actions need besides the door; made once in app.py."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.customers.policy.model import FieldPolicy
from shared.keys.blind import BlindIndex
from shared.values.identifiers import Identifier

Locate = Callable[[Sequence[Identifier]], Awaitable[list[str]]]


@dataclass(frozen=True)
class Tools:
    """`locate`: identifiers -> locators, in order, in batches."""

    policy: FieldPolicy
    blind: BlindIndex
    locate: Locate
