"""How much is tried: a selection by default, everything that can be counted with KEPT_CRASH_EXHAUSTIVE=1 (CONTRIBUTING.md)."""

import os
import random

EXHAUSTIVE = bool(os.environ.get("KEPT_CRASH_EXHAUSTIVE"))


def times(name: str, few: int, many: int) -> int:
    """How often something random is tried: KEPT_CRASH_<name> where that is set, else `many` in an exhaustive run."""
    return int(os.environ.get(f"KEPT_CRASH_{name}") or (many if EXHAUSTIVE else few))


def chance() -> random.Random:
    """Random, and repeatable: KEPT_CRASH_SEED sets the seed, and every failure shows it."""
    seed = int(os.environ.get("KEPT_CRASH_SEED") or random.SystemRandom().randrange(1, 1 << 32))
    print(f"KEPT_CRASH_SEED={seed}")  # shown when the test fails
    return random.Random(seed)
