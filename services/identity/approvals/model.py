"""Approvals: the rules. Two different people who did not ask, each once; then one use, soon.

What a person may ask for and what only a service may are two types, and an action is of one of them. What a service asks for
it asks for a person outside, to whose right the law gives a date: that never lapses. Nobody deciding is not a no.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import ConflictError, InvalidInputError, NotAllowedError

people_needed = 2


class State(StrEnum):
    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


# Everything that one person must not do alone (P11). Who may ask, who decides: shared/access/policies/identity.cedar.
class ByPeople(StrEnum):
    """What a member of staff asks two others for, to do it with the grant."""

    EXPORT = "export"
    UNMASK = "unmask"
    RESTORE = "restore"
    CHANGE_POLICY = "change_policy"
    PROVE_ADDRESS = "prove_address"


class ByServices(StrEnum):
    """What a service asks for, on its own topic, because a person outside has asked it."""

    ERASE = "erase"


Action = ByPeople | ByServices
ACTIONS: frozenset[Action] = frozenset((*ByPeople, *ByServices))
ASKED_BY: Mapping[ByServices, str] = {ByServices.ERASE: "system:dsar"}

# An id, or all of a kind. It goes into events in clear, so there must be no room for a name or an address.
_ID = "_[0-9a-f]{32}"
RESOURCES: Mapping[Action, re.Pattern[str]] = {
    ByPeople.EXPORT: re.compile(r"customers|audit-trail"),
    ByPeople.UNMASK: re.compile(rf"customers|sub{_ID}"),
    ByPeople.RESTORE: re.compile(rf"bak{_ID}"),
    ByPeople.CHANGE_POLICY: re.compile(rf"[a-z]{{3}}{_ID}|customers|audit-trail"),
    ByPeople.PROVE_ADDRESS: re.compile(rf"chg{_ID}"),
    ByServices.ERASE: re.compile(rf"req{_ID}"),
}


class Ground(BaseModel):
    """A reason for a no: its code, the article it stands in, and what it says to the person."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str = Field(max_length=60)
    article: str = Field(max_length=120)
    en: str = Field(max_length=400)
    zh: str = Field(max_length=400)


# Of what staff ask for. Of an erasure, the grounds are the law's, and come with the question.
GROUNDS: tuple[Ground, ...] = (
    Ground(code="no-purpose", article="GDPR 5(1)(b)", en="the purpose does not call for it", zh="目的并不需要"),
    Ground(code="too-much", article="GDPR 5(1)(c)", en="less would do", zh="更小的范围就足够"),
    Ground(code="unsafe", article="GDPR 32(1)", en="it would not be safe now", zh="目前这样做不安全"),
    Ground(code="mistaken", article="GDPR 5(1)(f)", en="asked for by mistake", zh="申请有误或申请人不当"),
)


class Level(StrEnum):
    """How urgent a reminder is."""

    WAITING = "waiting"
    DUE_SOON = "due-soon"
    OVERDUE = "overdue"


DUE_SOON = timedelta(days=7)


@dataclass(frozen=True)
class Approval:
    """What the rules need to know of an approval. `concerned`: whose data it is about; `lapses`: whether it ends undecided."""

    requester: str
    concerned: frozenset[str]
    state: State
    expires_at: datetime
    approvers: tuple[str, ...]
    lapses: bool = True


def asked_by_a_person(action: str, resource: str) -> ByPeople:
    """InvalidInputError where nobody could decide, or the resource is none of this action's."""
    if action not in [one.value for one in ByPeople]:
        raise InvalidInputError("this action needs no approval, or is not known", field="action")
    asked = ByPeople(action)
    _check_resource(asked, resource)
    return asked


def asked_by_a_service(action: ByServices, resource: str) -> str:
    """Who asks. InvalidInputError where the resource is none of this action's."""
    _check_resource(action, resource)
    return ASKED_BY[action]


def _check_resource(action: Action, resource: str) -> None:
    if not RESOURCES[action].fullmatch(resource):
        raise InvalidInputError("for this action: an id, such as bak_ and 32 hex digits, or customers", field="resource")


def check_decider(approval: Approval, person: str, now: datetime) -> None:
    """Whether `person`, whose role allows it, may say yes or no now; raises why not."""
    if person == approval.requester or person in approval.concerned:
        raise NotAllowedError("who asked, or is concerned, can't decide")
    if approval.state != State.REQUESTED or (approval.lapses and now >= approval.expires_at):
        raise ConflictError("this approval is closed")
    if person in approval.approvers:
        raise ConflictError("you have agreed already; it takes another person")


def after_yes(approvers: Sequence[str]) -> State:
    """The state when these have agreed. Counts people, not votes."""
    return State.GRANTED if len(set(approvers)) >= people_needed else State.REQUESTED


def check_ground(grounds: Sequence[Ground], code: str) -> Ground:
    """The reason that was chosen. InvalidInputError for none, or for one that is not offered."""
    found = next((one for one in grounds if one.code == code), None)
    if found is None:
        raise InvalidInputError(f"a no needs a reason: one of {', '.join(one.code for one in grounds)}", field="reason")
    return found


def level_of(asked: datetime, until: datetime, now: datetime) -> Level:
    """A week before its date, or in the last third of a short time, it is due soon; after its date it is overdue."""
    if now >= until:
        return Level.OVERDUE
    return Level.DUE_SOON if until - now <= min(DUE_SOON, (until - asked) / 3) else Level.WAITING


def reminds(level: Level, *, last: str | None, since: datetime, now: datetime, every: timedelta) -> bool:
    """Whether to remind now: each `every` since the last time (at first, since it was asked), and at once when more urgent."""
    return (level is not Level.WAITING and level.value != last) or now - since >= every
