"""The parts that the composition root hands to the rooms: a plain value, so that no room looks anything up."""

from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Environment

from services.dsar.requests.model import Law
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
    book: Mapping[str, Law]
    course: Course
    pages: Environment

    @property
    def laws(self) -> list[Law]:
        return [self.book[name] for name in self.settings.laws]
