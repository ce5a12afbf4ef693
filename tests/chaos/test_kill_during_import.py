"""P4 and P3 under SIGKILL: services (and with each its relay) and servers die at random instants while somebody imports.

Afterwards every committed change has its event, every event is one leaf, nothing is there twice, nothing is missing, each
person's events are in order, and the log verifies (tests/support/judge.py).
"""

import pytest

from tests.support.chaos import SERVICES, Dice, Importer, another, kill
from tests.support.judge import judge
from tests.support.platform import Platform

SERVERS = ("postgres", "kafka", "vault")


@pytest.mark.parametrize(
    ("parts", "most"), [((*SERVICES, "customers", "audit"), 2.0), (SERVERS, 4.0)], ids=["services", "servers"]
)
async def test_nothing_lost_nothing_twice(platform: Platform, parts: tuple[str, ...], most: float) -> None:
    dice = Dice.cast()
    victims = list(parts)
    dice.random.shuffle(victims)
    with Importer(platform) as importer:
        for victim in victims:
            dice.pause(most)
            another(platform, victim, kill(platform, victim))
        platform.wait_ready()
        dice.pause(most)
    await judge(platform, importer)
