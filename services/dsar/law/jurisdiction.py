"""Public holidays of a place, from the `holidays` library. Its data is national; local days are added by
subdivision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

import holidays

from services.dsar.law.book import Book, Why
from services.dsar.law.model import Calendar, Deadline, Holiday, Law, Right, deadline, strictest
from shared.errors import InvalidInputError


@lru_cache(maxsize=64)
def _book(country: str, subdivision: str | None) -> holidays.HolidayBase:
    try:
        return holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError as error:
        raise InvalidInputError("no holidays are known for this place", field="calendar") from error


def holidays_of(calendar: Calendar) -> Holiday:
    """Says whether a day is a public holiday there."""
    book = _book(calendar.country, calendar.subdivision)

    def holiday(day: date) -> bool:
        return day in book

    return holiday


@dataclass(frozen=True)
class Jurisdiction:
    """Which laws this installation keeps, those of its sector among them, and where the controller is (ISO 3166)."""

    book: Book
    laws: Sequence[str]
    sector: Sequence[str]
    controller: str

    def places(self) -> list[str]:
        """What a person may name as theirs."""
        return self.book.places(self.laws)

    def governing(self, right: Right, place: str, received: datetime) -> tuple[Deadline, Why]:
        """The deadline of a request, and why this law: that of the person's place, or the controller's where they named none;
        a law of the controller's sector holds besides, and then whichever ends first. InvalidInputError, where none does."""
        chosen = self.book.governing(self.laws, right, place, self.controller, received)
        mine = _deadline(chosen.law, right, received)
        others = [_deadline(law, right, received) for one in self.sector if (law := self.book.at(one, received))]
        first = strictest(one for one in (mine, *others) if one is not None)
        if first is None:
            raise InvalidInputError("no configured law knows this right", field="right")
        return first, chosen.why if first is mine else "sector"


def _deadline(law: Law, right: Right, received: datetime) -> Deadline | None:
    return deadline(law, right, received, holidays_of(law.calendar))
