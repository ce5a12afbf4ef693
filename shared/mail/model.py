"""Mails: the rules. When one is tried again, when it is given up, and what an error says of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

TRIES_MAX = 12  # with the pauses below about two and a half hours: a greylist, a full queue, a restart are over by then
PAUSE = timedelta(seconds=5)  # after the first failure; doubled after each
PAUSE_MAX = timedelta(hours=1)
LEASE = timedelta(minutes=3)  # a mail that somebody claimed and did not finish is free again after this
SEND_SECONDS_MAX = 90.0  # one mail, whole; well under the lease, so that nobody else has it meanwhile
AWAY = timedelta(seconds=5)  # the mail server or a part of ours is away: nothing against the mail


class Outcome(StrEnum):
    """What became of a mail. Only `sent` means that a mail server has taken it."""

    SENT = "sent"
    NO_ADDRESS = "no address"  # it was destroyed before, or never was one
    GIVEN_UP = "given up"
    UNSETTLED = "unsettled"  # sent, but what should follow could not be done


SET_ASIDE = (Outcome.GIVEN_UP, Outcome.UNSETTLED)  # shown, counted, and tried again by hand


@dataclass(frozen=True)
class Letter:
    """What leaves: in clear, and only in memory."""

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)


class Mail(NamedTuple):
    """A queued mail, claimed by this process. `facts` are references of ours (ids, kinds, dates), never a value of a person."""

    id: int
    kind: str
    about: str
    facts: Mapping[str, str]
    created_at: datetime
    tries: int
    left_at: datetime | None


class RefusedMailError(Exception):
    """The mail server will never take this one. `reason` is a class and a code, never a text: that repeats the address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def pause_after(tries: int) -> timedelta:
    """Until a mail that failed `tries` times is tried again."""
    return min(PAUSE * (1 << min(max(tries, 1) - 1, 20)), PAUSE_MAX)
