"""A data-subject request: its words and its states. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from services.dsar.law.model import Right

Via = Literal["code", "mail"]  # how a browser came to see a request: its person typed the code, or followed a mail's link
# What a person who knows no number may show the two at the desk: a kind, never what stands on it.
Evidence = Literal["invoice", "letter", "contract", "identity", "other"]


class State(StrEnum):
    """Fixed words of DESIGN and STYLE; `refused` is an outcome of approval, kept as a state for the person to see."""

    RECEIVED = "received"
    VERIFIED = "verified"
    ASSESSED = "assessed"
    APPROVED = "approved"
    DISPATCHED = "dispatched"
    ANSWERED = "answered"
    DELIVERED = "delivered"
    REFUSED = "refused"
    CLOSED = "closed"


NEXT: Mapping[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.VERIFIED, State.CLOSED}),
    State.VERIFIED: frozenset({State.ASSESSED, State.DISPATCHED, State.ANSWERED, State.CLOSED}),
    State.ASSESSED: frozenset({State.APPROVED, State.REFUSED, State.CLOSED}),
    State.APPROVED: frozenset({State.DISPATCHED, State.CLOSED}),
    State.DISPATCHED: frozenset({State.ANSWERED, State.CLOSED}),
    State.ANSWERED: frozenset({State.DELIVERED, State.CLOSED}),
    State.DELIVERED: frozenset({State.CLOSED}),
    State.REFUSED: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
}


BEFORE = (State.VERIFIED, State.ASSESSED)  # nothing was handed out or erased: the person may take it back
AFTER = (State.ANSWERED, State.DELIVERED, State.REFUSED)


class Reached(StrEnum):
    """How far a request came: what was done with its person's data, whatever became of the request since."""

    RECEIVED = "received"  # nobody proved the address: nothing was looked up
    PROVEN = "proven"  # looked up, and no more
    ASKED = "asked"  # holders were asked what they hold, and the answer was not ready
    ERASING = "erasing"  # holders were asked to erase, and not all had said that they did
    HELD = "held"
    NOTHING = "nothing"
    REFUSED = "refused"
    ERASED = "erased"


def reached(right: Right, outcome: str | None, *, proven: bool, dispatched: bool) -> Reached:
    """From what is kept of a request when it is closed: the outcome, else the last instant that stands."""
    if outcome is not None:
        return Reached(outcome)
    if dispatched:
        return Reached.ASKED if right == "access" else Reached.ERASING
    return Reached.PROVEN if proven else Reached.RECEIVED


def may_move(old: State, new: State) -> bool:
    """Whether a request in `old` may become `new`."""
    return new in NEXT[old]
