"""The parts that the composition root hands to the rooms: a plain value, so that no room looks anything up."""

from dataclasses import dataclass

from jinja2 import Environment

from services.dsar.law.book import Book
from services.dsar.requests.calendars import Jurisdiction
from services.dsar.saga.actions import Course
from services.dsar.settings import DsarSettings
from shared.keys.vault import Vault
from shared.work import Door


@dataclass(frozen=True)
class Wired:
    """Everything the pages need."""

    door: Door
    settings: DsarSettings
    vault: Vault
    jurisdiction: Jurisdiction
    course: Course
    pages: Environment

    @property
    def book(self) -> Book:
        return self.jurisdiction.book
