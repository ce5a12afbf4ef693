"""What identity publishes. No name, address or number ever stands here: pseudonyms, roles, reasons, locators."""

from typing import Literal

from pydantic import Field

from shared.bus.event import Event


class UserCreated(Event, type="kept.identity.user.created.v1"):
    """A member of staff has an account. `subject` is the user; the manager is another user."""

    manager: str | None
    roles: list[str]
    locators: list[str]


class UserLocated(Event, type="kept.identity.user.located.v1"):
    """`subject` is found by these locators, all that hold from now on."""

    locators: list[str]


class UserKeyRenewed(Event, type="kept.identity.key.renewed.v1"):
    """The account was sealed anew under version `key_version` of this user's data key. The ones before go with an erasure."""

    key_version: int


class AccountViewed(Event, type="kept.identity.account.viewed.v1", ordered=False):
    """Somebody (`ce_actor`) saw these fields of the account of `subject` (P7)."""

    fields: dict[str, str]
    purpose: str
    decision: list[str]


class SessionStarted(Event, type="kept.identity.session.started.v1"):
    """`subject` signed in; `amr` says how (RFC 8176)."""

    amr: list[str]


class SessionRefused(Event, type="kept.identity.session.refused.v1", ordered=False):
    """A sign-in failed. `subject` only where there is such an account; the answer to the caller never differs."""

    reason: Literal["credentials", "code", "replay", "too-many"]


class SessionEnded(Event, type="kept.identity.session.ended.v1"):
    """`subject` signed out, or was forgotten. No service takes a token of these `sessions` any more."""

    sessions: list[str] = Field(default_factory=list)


class _AboutApproval(Event):
    """Keyed by the approval, so that one approval's events stay in order.

    `requester`: the person, or the service, that asked and whose approval it is; `subjects`: everybody whom it concerns."""

    approval_id: str
    action: str
    resource: str
    requester: str = ""
    subjects: list[str] = Field(default_factory=list)

    def key(self) -> str:
        return self.approval_id


class ApprovalRequested(_AboutApproval, type="kept.identity.approval.requested.v1"):
    """Something that one person must not do alone waits for two others: until `expires`, or, where it does not lapse, until
    they decide; then `expires` is the date that the law sets."""

    expires: str
    lapses: bool = True


class ApprovalReminded(_AboutApproval, type="kept.identity.approval.reminded.v1"):
    """Nobody has decided it yet; `due` comes, or is past. `approvers`: who agreed so far."""

    level: Literal["waiting", "due-soon", "overdue"]
    due: str
    approvers: list[str]
    reminders: int


class ApprovalGiven(_AboutApproval, type="kept.identity.approval.given.v1"):
    """One person agreed; `approvers` are all who did so far."""

    approvers: list[str]


class ApprovalGranted(_AboutApproval, type="kept.identity.approval.granted.v1"):
    """Two different people agreed, neither of them who asked."""

    approvers: list[str]


class ApprovalWithdrawn(_AboutApproval, type="kept.identity.approval.withdrawn.v1"):
    """Whoever asked needs no answer any more: the request was taken back, or is asked anew for other people."""


class ApprovalRefused(_AboutApproval, type="kept.identity.approval.refused.v1"):
    """Somebody who may decide said no, and why (`ground`, one of the reasons that there were for it); or (`expired`) nobody
    decided in time, which is not a no: what a person outside waits for never ends so."""

    reason: Literal["refused", "expired"]
    ground: str | None = None
