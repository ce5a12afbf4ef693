"""The parts that the composition root hands to the rooms: a plain value, so that no room looks anything up."""

from dataclasses import dataclass

from jinja2 import Environment

from services.dsar.law.book import Book
from services.dsar.law.jurisdiction import Jurisdiction
from services.dsar.saga.actions import Course
from services.dsar.settings import DsarSettings
from shared.keys.locators import Locators
from shared.work import Door


@dataclass(frozen=True)
class Tools:
    """What every page needs."""

    door: Door
    settings: DsarSettings
    locators: Locators
    jurisdiction: Jurisdiction
    course: Course
    pages: Environment

    @property
    def book(self) -> Book:
        return self.jurisdiction.book
