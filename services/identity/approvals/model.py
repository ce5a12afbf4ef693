"""Approvals: the rules. Two different people who did not ask, each once; then one use, soon."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.errors import ConflictError, InvalidInputError, NotAllowedError

people_needed = 2
# An id, or all of a kind. It goes into events in clear, so there must be no room for a name or an address.
_RESOURCE = re.compile(r"[a-z]{3}_[0-9a-f]{32}|customers|audit-trail")


class State(StrEnum):
    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"


# Everything that one person must not do alone (P11). Who may decide stands in shared/access/policies/identity.cedar.
ACTIONS = frozenset({"erase", "export", "unmask", "restore", "change_policy", "prove_address"})


@dataclass(frozen=True)
class Approval:
    """What the rules need to know of an approval."""

    requester: str
    subject: str | None
    state: State
    expires_at: datetime
    approvers: tuple[str, ...]


def check_request(action: str, resource: str) -> None:
    """InvalidInputError where nobody could decide, or the resource is no id."""
    if action not in ACTIONS:
        raise InvalidInputError("this action needs no approval, or is not known", field="action")
    if not _RESOURCE.fullmatch(resource):
        raise InvalidInputError("an id, such as bak_ and 32 hex digits, or customers or audit-trail", field="resource")


def check_decider(approval: Approval, person: str, now: datetime) -> None:
    """Whether `person`, whose role allows it, may say yes or no now; raises why not."""
    if person in (approval.requester, approval.subject):
        raise NotAllowedError("who asked, or is concerned, can't decide")
    if approval.state != State.REQUESTED or now >= approval.expires_at:
        raise ConflictError("this approval is closed")
    if person in approval.approvers:
        raise ConflictError("you have agreed already; it takes another person")


def after_yes(approvers: Sequence[str]) -> State:
    """The state when these have agreed. Counts people, not votes."""
    return State.GRANTED if len(set(approvers)) >= people_needed else State.REQUESTED
