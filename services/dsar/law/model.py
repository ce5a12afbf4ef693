"""A law as its reviewed file says it, and its clock. Pure: calendars and instants come in.

Deadlines follow Regulation (EEC, Euratom) 1182/71 Art. 3 where the law's file says so: the day of receipt does not count; a
period in months ends with the last hour of the same date (or the month's last day); an end on a Saturday, Sunday or public
holiday moves to the end of the next working day; a period in hours counts every hour and does not move.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

Right = Literal["access", "erasure"]
Seen = Literal["text", "secondary sources", "general knowledge, to be checked"]
Holiday = Callable[[date], bool]

PLACE = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"  # ISO 3166-1, 3166-2
ROLL_DAYS_MAX = 30  # days an end may move before we suspect the calendar (longest real run of days off is about ten)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Period(_Value):
    """A length of time as laws write it: exactly one of its four units."""

    months: int | None = Field(default=None, ge=1, le=24)
    days: int | None = Field(default=None, ge=1, le=730)
    working_days: int | None = Field(default=None, ge=1, le=250)
    hours: int | None = Field(default=None, ge=1, le=2160)

    @model_validator(mode="after")
    def _one_unit(self) -> "Period":
        if sum(unit is not None for unit in (self.months, self.days, self.working_days, self.hours)) != 1:
            raise ValueError("say exactly one of months, days, working_days, hours")
        return self

    @property
    def text(self) -> str:
        """As staff read it: `1 month`, `10 working days`."""
        for unit, count in self.model_dump(exclude_none=True).items():
            word = unit.replace("_", " ")
            return f"{count} {word[:-1] if count == 1 else word}"
        raise ValueError("a period has a unit")


class Calendar(_Value):
    """Whose days count."""

    zone: str
    country: str
    subdivision: str | None = None
    rolls_to_working_day: bool


class Duty(_Value):
    right: Right
    article: str
    within: Period
    extension: Period | None = None
    extension_notice: str = ""
    confirm: Period | None = None
    clock: str
    seen: Seen


class Notice(_Value):
    to: str
    article: str
    within: Period
    begins: str
    seen: Seen


class Refusal(_Value):
    """A reason for which the law lets one refuse, in the words that the person reads."""

    code: str
    article: str
    meaning: str
    meaning_zh: str
    rights: tuple[Right, ...] = ("access", "erasure")

    def says(self, language: str) -> str:
        return self.meaning_zh if language == "zh" else self.meaning


class Authority(_Value):
    """Where a person complains, and the article that gives them the right to."""

    article: str
    name: str
    name_zh: str
    url: str = Field(pattern=r"^https://")
    seen: Seen

    def says(self, language: str) -> str:
        """Its name and address, for a page or a mail."""
        return f"{self.name_zh if language == 'zh' else self.name} ({self.url})"


class Law(_Value):
    """One version of a law, from a reviewed file of services/dsar/law/. `places`: whose law it is (ISO 3166); none for the law
    of a sector."""

    id: str
    name: str
    names: Mapping[str, str] = Field(default_factory=dict)  # in other languages
    places: tuple[Annotated[str, Field(pattern=PLACE)], ...]
    place_names: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)  # of parts of a country, by language
    authority: Authority
    in_force_from: date
    text: str
    source: str
    computing_source: str
    reviewed_on: date
    reviewer: str = Field(min_length=1)
    calendar: Calendar
    duty: tuple[Duty, ...]
    notice: tuple[Notice, ...] = ()
    refusal: tuple[Refusal, ...] = ()

    @model_validator(mode="after")
    def _parts_are_named(self) -> "Law":
        unnamed = [one for one in self.places if "-" in one and not {"en", "zh"} <= set(self.place_names.get(one, ()))]
        if unnamed:
            raise ValueError(f"place_names: {unnamed[0]} has no name in English and Chinese")
        return self

    def called(self, language: str) -> str:
        return self.names.get(language, self.name)

    def duty_for(self, right: Right) -> Duty | None:
        return next((duty for duty in self.duty if duty.right == right), None)

    def grounds(self, right: Right) -> tuple[Refusal, ...]:
        """Why this law lets one refuse it."""
        return tuple(one for one in self.refusal if right in one.rights)


@dataclass(frozen=True)
class Deadline:
    """Until when, by which law; `extended` is the latest that an extension could bring."""

    law: str
    article: str
    due: datetime
    extended: datetime | None
    confirm: datetime | None


def add_months(day: date, months: int) -> date:
    """The same date `months` later, or that month's last day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _is_working(day: date, holiday: Holiday) -> bool:
    return day.weekday() < 5 and not holiday(day)


def _working_day_from(day: date, holiday: Holiday) -> date:
    for step in range(ROLL_DAYS_MAX):
        moved = day + timedelta(days=step)
        if _is_working(moved, holiday):
            return moved
    raise ValueError("no working day in a month: the calendar is wrong")


def _after_working_days(day: date, count: int, holiday: Holiday) -> date:
    while count:
        day += timedelta(days=1)
        count -= _is_working(day, holiday)
    return day


def end_of(periods: Iterable[Period], start: datetime, calendar: Calendar, holiday: Holiday) -> datetime:
    """The instant at which `periods`, one after the other from `start`, have run out (UTC, exclusive).

    Several periods (a time and its extension) are added on the dates and moved past days off once, at the end.
    """
    zone = ZoneInfo(calendar.zone)
    day = start.astimezone(zone).date()
    for period in periods:
        if period.hours is not None:
            return start + timedelta(hours=period.hours)
        if period.months is not None:
            day = add_months(day, period.months)
        elif period.working_days is not None:
            day = _after_working_days(day, period.working_days, holiday)
        else:
            day += timedelta(days=period.days or 0)
    if calendar.rolls_to_working_day:
        day = _working_day_from(day, holiday)
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)


def last_day(due: datetime, zone: str) -> date:
    """The last calendar day on which an answer is in time, where the law counts: `due` is the instant after it."""
    return (due.astimezone(ZoneInfo(zone)) - timedelta(microseconds=1)).date()


def deadline(law: Law, right: Right, received: datetime, holiday: Holiday) -> Deadline | None:
    """When `law` wants an answer to `right`; None where it does not know this right."""
    duty = law.duty_for(right)
    if duty is None:
        return None

    def end(*periods: Period) -> datetime:
        return end_of(periods, received, law.calendar, holiday)

    return Deadline(
        law=law.id,
        article=duty.article,
        due=end(duty.within),
        extended=end(duty.within, duty.extension) if duty.extension else None,
        confirm=end(duty.confirm) if duty.confirm else None,
    )


def strictest(deadlines: Iterable[Deadline]) -> Deadline | None:
    """The one that ends first: whoever meets it has met them all. Ties go to the law named first in the alphabet."""
    return min(deadlines, key=lambda one: (one.due, one.law), default=None)
