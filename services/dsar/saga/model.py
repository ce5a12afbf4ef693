"""The saga's rules: from what was asked and answered to the one next step. Pure and idempotent: asked again, it says
the same."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from services.dsar.law.model import Right
from services.dsar.requests.model import State
from shared.values.identifiers import version_of

Command = Literal["locate", "collect", "erase", "attest", "recheck"]

FIRST_WAIT = timedelta(seconds=15)  # a healthy holder answers within a second; then ask again, ever more patiently
APPROVAL_AGAIN = timedelta(hours=24)  # identity hears once a day what waits: an approval that it lost is opened anew
ASKER = "system:dsar"  # by whom identity says that an erasure was asked for
LONGEST_WAIT = timedelta(hours=1)  # also a holder that was away for days is asked again within the hour


class Step(StrEnum):
    """What to do next; `WAIT` is a step too."""

    WAIT = "wait"
    COLLECT = "collect"
    REQUEST_APPROVAL = "request approval"
    ERASE = "erase"
    ATTEST = "attest"  # and look once more what the address leads to: a certificate names what it leaves out
    CERTIFY = "certify"
    ANSWER_NOTHING = "answer nothing"
    ANSWER_HELD = "answer held"


@dataclass(frozen=True)
class Asked:
    """One command to one holder about one subject (none yet, for locate)."""

    holder: str
    command: Command
    subject: str
    answered: bool


def outstanding(asks: Sequence[Asked], command: Command) -> list[str]:
    """Holders that owe an answer to `command`, in alphabetical order."""
    return sorted({ask.holder for ask in asks if ask.command == command and not ask.answered})


def answered_all(asks: Sequence[Asked], command: Command) -> bool:
    """Whether `command` was asked at all, and nobody owes an answer."""
    return any(ask.command == command for ask in asks) and not outstanding(asks, command)


def next_step(
    right: Right, state: State, asks: Sequence[Asked], subjects: Collection[str], *, patient: bool, unclear: bool = False
) -> Step:
    """The one thing to do now. `patient`: there is still time to wait for holders that have not answered. `unclear`: the
    address leads to several records, and only the person can show which are theirs; until then nobody's data moves.

    An access goes on without a holder that stays silent (it is named in the package); an erasure never does.
    """
    if unclear:
        return Step.WAIT
    if state is State.VERIFIED:
        located = answered_all(asks, "locate")
        if located and not subjects:
            return Step.ANSWER_NOTHING
        if right == "erasure" and located:
            return Step.REQUEST_APPROVAL
        if right == "access" and subjects and (located or not patient):
            return Step.COLLECT
    elif state is State.APPROVED and answered_all(asks, "locate"):
        return Step.ERASE
    elif state is State.DISPATCHED and right == "access":
        if answered_all(asks, "collect") or not patient:
            return Step.ANSWER_HELD
    elif state is State.DISPATCHED and right == "erasure":
        if answered_all(asks, "attest") and answered_all(asks, "recheck"):
            return Step.CERTIFY
        if answered_all(asks, "erase") and not any(ask.command == "recheck" for ask in asks):
            return Step.ATTEST
        if not any(ask.command == "erase" for ask in asks):
            return Step.ANSWER_NOTHING  # approved, and no owner confirms any more that there is anybody
    return Step.WAIT


@dataclass(frozen=True)
class Decided:
    """What identity says of an approval: who had asked for it, for whom, and who agreed."""

    requester: str
    subjects: frozenset[str]
    approvers: frozenset[str]


def answers_us(said: Decided, subjects: Collection[str]) -> bool:
    """Whether it is the answer to what dsar asked for these people: asked by dsar, for exactly them, agreed to by none of them.

    What staff asked for over HTTP, or for somebody else, never counts, whoever agreed. An identity from before names the first
    person alone, and not who asked; one that names nobody was asked by a member of staff."""
    if said.requester not in ("", ASKER) or said.approvers & {*subjects, ASKER}:
        return False
    return said.subjects == set(subjects) if said.requester else bool(said.subjects) and said.subjects <= set(subjects)


class Fit(StrEnum):
    """What a typed number says of the records that share an address."""

    ONE = "one"
    SEVERAL = "several"  # it stands on more than one of them, so it tells nobody apart
    NONE = "none"


def pick(candidates: Mapping[str, Collection[str]], said: Collection[str]) -> tuple[Fit, str | None]:
    """The one record to which one of the locators `said` leads. What several share proves none of them."""
    fitting = [subject for subject, known in candidates.items() if set(known) & set(said)]
    if len(fitting) == 1:
        return Fit.ONE, fitting[0]
    return (Fit.SEVERAL if fitting else Fit.NONE), None


def leads_somewhere(locators: Collection[str], oldest: int) -> bool:
    """Whether one of them is of a key version that still is (shared/keys/locators.py); of none, there is none to lead."""
    return not locators or any(version_of(one) >= oldest for one in locators)


def wait_before(tries: int) -> timedelta:
    """How long to wait for an answer to the `tries`-th asking before asking again: doubled each time, up to an hour."""
    doublings = min(max(tries - 1, 0), 10)  # beyond ten it is the longest wait anyway
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def silent_holders(asks: Sequence[Asked]) -> tuple[list[str], list[str]]:
    """(all holders that were asked, those that still owe an answer) for the package's page. One that never said whom it
    knows may know more, whatever it answered since."""
    return sorted({ask.holder for ask in asks}), sorted({*outstanding(asks, "locate"), *outstanding(asks, "collect")})
