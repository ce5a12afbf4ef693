"""One-time codes (RFC 6238): the rules. A time step is used once; a step either way is allowed for slow clocks."""

import hmac
from collections.abc import Callable
from datetime import datetime

from shared.errors import InvalidInputError
from shared.values.typed import code as typed_code

STEP_SECONDS = 30
DIGITS = 6
DRIFT_STEPS = 1  # accepted either way: 30 s of clock difference, RFC 6238 §5.2


def step_of(now: datetime) -> int:
    """The number of the time step that `now` lies in."""
    return int(now.timestamp()) // STEP_SECONDS


def matching_step(code: str, now: datetime, code_at: Callable[[int], str]) -> int | None:
    """The time step whose code this is, or None. Looks at every step allowed, so that the time tells nothing."""
    try:
        typed = typed_code(code, DIGITS)
    except InvalidInputError:
        return None
    found: int | None = None
    current = step_of(now)
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(step), typed):
            found = step
    return found


def is_replay(step: int, last_step: int | None) -> bool:
    """Whether this step's code, or a later one, was used before (RFC 6238 §5.2: one use)."""
    return last_step is not None and step <= last_step
