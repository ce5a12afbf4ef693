"""A changed address: the rules. When it begins to prove who somebody is.

Whoever reads mail at a proven address gets everything that is held on the person. Staff can write any address over it, also one
of their own, and can read mail there. So a yes from the new mailbox alone is worth nothing; what counts is
- a yes from the mailbox that was proven before, with one from the new mailbox (`mailboxes`);
- or silence of the old one for the waiting time, after it was told (`time`);
- or two people who saw evidence, neither of them who changed it (`approval`).
Where there was no address before, nobody can be told, and only the last is left.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

How = Literal["mailboxes", "time", "approval"]
NOTICES_PER_HOUR = 5  # to one mailbox: whoever writes addresses to and fro must not flood it. Untold, the time does not run
APPROVAL = "prove_address"  # the action that an approval names; its resource is the change
PEOPLE_NEEDED = 2


class State(StrEnum):
    WAITING = "waiting"
    PROVEN = "proven"
    OBJECTED = "objected"
    SUPERSEDED = "superseded"  # another change came, or the old address came back


class Side(StrEnum):
    """Which mailbox a link was sent to."""

    NEW = "new"
    OLD = "old"


def proven_by(
    *,
    had_address: bool,
    has_address: bool,
    told_at: datetime | None,
    confirmed_at: datetime | None,
    agreed_at: datetime | None,
    now: datetime,
    wait: timedelta,
) -> How | None:
    """How a waiting change has become proof by `now`; None: not yet. An emptied address has no new mailbox to say yes."""
    if not had_address:
        return None
    if agreed_at is not None and (confirmed_at is not None or not has_address):
        return "mailboxes"
    if told_at is not None and now >= told_at + wait:
        return "time"
    return None


def decided_by_two(approvers: list[str], changed_by: str) -> bool:
    """Whether these are two people besides the one who changed it."""
    return len({*approvers} - {changed_by}) >= PEOPLE_NEEDED
