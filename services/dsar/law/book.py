"""Which law a request is answered by: that of the person's place, as it was in force on the day of receipt. Pure.

A place is an ISO 3166 code: a country (`BR`) or a part of one that has a law of its own (`CA-QC`, `US-CA`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from services.dsar.law.model import Law, Right
from shared.errors import InvalidInputError, InvariantError

Versions = tuple[Law, ...]  # of one law, the oldest first
Why = Literal["place", "controller", "right", "sector"]


@dataclass(frozen=True)
class Governing:
    """The law of one request, and why it is this one: it is the law of the person's `place`; they named none that has one, so
    it is that of the `controller`; or the law of their place sets no time for this `right`, so it is the controller's too."""

    law: Law
    why: Why


class Book(Mapping[str, Law]):
    """Every law, by id; `book[id]` is the newest version, as the desk shows it."""

    def __init__(self, laws: Sequence[Versions]) -> None:
        self._laws = {versions[0].id: versions for versions in laws}

    def __getitem__(self, law_id: str) -> Law:
        return self._laws[law_id][-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._laws)

    def __len__(self) -> int:
        return len(self._laws)

    def at(self, law_id: str, when: datetime) -> Law | None:
        """The version in force at `when`, by the date that it is there; None before the first one."""
        versions = self._laws[law_id]
        begun = [one for one in versions if one.in_force_from <= when.astimezone(ZoneInfo(one.calendar.zone)).date()]
        return begun[-1] if begun else None

    def of(self, law_id: str, when: datetime) -> Law:
        """The version by which a request of `when` was taken in: the one in force then, else the oldest that we know."""
        return self.at(law_id, when) or self._laws[law_id][0]

    def places(self, laws: Sequence[str]) -> list[str]:
        """Every place that one of `laws` is the law of."""
        return sorted({place for law_id in laws for place in self[law_id].places})

    def governing(self, laws: Sequence[str], right: Right, place: str, controller: str, received: datetime) -> Governing:
        """The law, among `laws`, for somebody at `place` (empty: they did not say) who asks a controller at `controller`.

        InvalidInputError where neither place's law knows the right."""
        theirs = self._of_place(laws, place, received)
        for law in theirs:
            if law.duty_for(right):
                return Governing(law, "place")
        for law in self._of_place(laws, controller, received):
            if law.duty_for(right):
                return Governing(law, "right" if theirs else "controller")
        raise InvalidInputError("no configured law knows this right", field="right")

    def _of_place(self, laws: Sequence[str], place: str, when: datetime) -> list[Law]:
        """The laws of `place`: of the part of a country before those of the country."""
        found = [law for law_id in laws if (law := self.at(law_id, when)) is not None]
        country = place.partition("-")[0]
        return [law for each in dict.fromkeys((place, country)) for law in found if each in law.places]

    def check(self, laws: Sequence[str], controller: str, rights: Sequence[Right], now: datetime) -> None:
        """InvariantError where the controller's place has no law for one of `rights`: a request could not be answered."""
        for right in rights:
            if not any(law.duty_for(right) for law in self._of_place(laws, controller, now)):
                raise InvariantError(f"no law of the controller's place knows the right {right}: KEPT_PLACE, KEPT_LAWS")
