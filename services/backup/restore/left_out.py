"""Whom the restore of a set from before the horizon leaves out: its people have their keys of the newest drilled set, and some
have none there, or none any more.

Not told: who was erased before the newest drilled set. It knows them as shredded, and has them on its list of the forgotten.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, Field

LISTED_MAX = 1_000  # names in an answer; more than these are no list to go through, and are counted all the same
Why = Literal["erased_since", "unlisted"]


class Person(BaseModel):
    """One person, by pseudonym (of dsar: one request). `erased_since`: erased after the newest drilled set, which does not have
    them on its list of the forgotten: an old file would bring them back. `unlisted`: that set has no key of theirs, and no
    erasure is known that says why."""

    subject: str
    holders: list[str]
    why: Why


class LeftOut(BaseModel):
    """How many people, each counted once under each reason, and who: `people` names the first of them."""

    erased_since: int = Field(examples=[1])
    unlisted: int = Field(examples=[0])
    people: list[Person]


@dataclass(frozen=True)
class Carried:
    """What was carried over. Of each holder whose keyring is the newest drilled set's now: `had`, who had a key in the set that
    is restored; `known`, whom the newest one knows, with a key or as shredded; `shredded` of them."""

    had: Mapping[str, Set[str]] = field(default_factory=dict)
    known: Mapping[str, Set[str]] = field(default_factory=dict)
    shredded: Mapping[str, Set[str]] = field(default_factory=dict)

    @property
    def holders(self) -> list[str]:
        """Whose keyrings they were."""
        return sorted(self.had)


def left_out(carried: Carried, erased: Mapping[str, Set[str]]) -> LeftOut | None:
    """`erased`: every erasure that is known, holder -> subjects. None where the set's own keys are in force."""
    if not carried.had:
        return None
    found: dict[tuple[Why, str], list[str]] = {}
    for holder in carried.holders:
        for subject in carried.had[holder] - carried.shredded[holder]:
            if subject in erased.get(holder, ()):
                found.setdefault(("erased_since", subject), []).append(holder)
            elif subject not in carried.known[holder]:
                found.setdefault(("unlisted", subject), []).append(holder)
    people = [Person(subject=subject, holders=holders, why=why) for (why, subject), holders in sorted(found.items())]
    counts = {why: sum(one.why == why for one in people) for why in ("erased_since", "unlisted")}
    return LeftOut(erased_since=counts["erased_since"], unlisted=counts["unlisted"], people=people[:LISTED_MAX])
