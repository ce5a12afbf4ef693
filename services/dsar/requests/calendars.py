"""Public holidays of a place, from the `holidays` library. Its data is national; local days are added by
subdivision."""

from datetime import date, datetime
from functools import lru_cache

import holidays

from services.dsar.requests.model import Calendar, Deadline, Holiday, Law, Right, deadline, strictest
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


def governing(laws: list[Law], right: Right, received: datetime) -> Deadline | None:
    """The strictest deadline of all `laws` for `right`."""
    found = [deadline(law, right, received, holidays_of(law.calendar)) for law in laws]
    return strictest(one for one in found if one is not None)
