"""The rules of sets. States: taking -> taken -> drilled; taking -> failed. Only `drilled` counts as a backup (P8)."""

from datetime import datetime, timedelta
from typing import Literal

from shared.errors import ConflictError

State = Literal["taking", "taken", "drilled", "failed"]

_NEXT: dict[State, frozenset[State]] = {
    "taking": frozenset({"taken", "failed"}),
    "taken": frozenset({"drilled"}),
    "drilled": frozenset({"drilled"}),
    "failed": frozenset(),
}


def moved(state: State, to: State) -> State:
    """`to`, if a set in `state` may move there; else ConflictError."""
    if to not in _NEXT[state]:
        raise ConflictError(f"a set that is {state} cannot become {to}")
    return to


def is_due(last: datetime | None, now: datetime, every: timedelta) -> bool:
    """Whether the schedule asks for one now. An interval of zero switches the schedule off."""
    return bool(every) and (last is None or now - last >= every)
