"""The rules of the field policy. A field without a purpose is not held; a purpose sees what it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from shared.access.masks import Kind, Level
from shared.errors import InvalidInputError

# Fields that are looked up by a blind index, and by which others locate the person.
SEARCHED = ("email", "phone")


class Strict(BaseModel):
    """A part of a reviewed file: unknown words are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Review(Strict):
    """Who answers for the file, and since when."""

    by: str = Field(min_length=1)
    on: date
    next: date


class Purpose(Strict):
    """Why staff look at records (GDPR Art. 5(1)(b))."""

    title: str
    title_zh: str
    basis: str


class FieldRule(Strict):
    """One field: where an import finds it, why it is held, and how each purpose sees it."""

    column: str
    kind: Kind
    category: str
    purpose: str
    purpose_zh: str
    basis: str
    retention: str
    retention_zh: str
    required: bool = False
    characters_max: int = Field(default=200, ge=1, le=2000)
    levels: Mapping[str, Level]


@dataclass(frozen=True)
class Sight:
    """What a purpose sees: each field's name, level and kind; `opened`: those of which something is shown."""

    fields: tuple[tuple[str, Level, Kind], ...]
    opened: tuple[str, ...]
    levels: dict[str, Level]


class FieldPolicy(Strict):
    """The whole file."""

    _sights: dict[str, Sight] = PrivateAttr(default_factory=dict)

    version: int = Field(ge=1)
    review: Review
    default_purpose: str
    purposes: Mapping[str, Purpose]
    fields: Mapping[str, FieldRule]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.default_purpose not in self.purposes:
            raise ValueError("default_purpose is none of the purposes")
        for name, rule in self.fields.items():
            if set(rule.levels) != set(self.purposes):
                raise ValueError(f"{name}: a level for each purpose, and for no other")
        if len({rule.column for rule in self.fields.values()}) != len(self.fields):
            raise ValueError("a column stands twice")
        return self

    def require_purpose(self, purpose: str | None) -> str:
        """`purpose`, or the default one. InvalidInputError for one that nobody reviewed."""
        name = purpose or self.default_purpose
        if name not in self.purposes:
            raise InvalidInputError("no such purpose: " + ", ".join(sorted(self.purposes)), field="purpose")
        return name

    def sight(self, purpose: str) -> Sight:
        """What `purpose` sees, worked out once."""
        found = self._sights.get(purpose)
        if found is None:
            levels = {name: rule.levels[purpose] for name, rule in self.fields.items()}
            fields = tuple((name, level, self.fields[name].kind) for name, level in levels.items())
            opened = tuple(name for name, level in levels.items() if level != "hidden")
            found = self._sights[purpose] = Sight(fields, opened, levels)
        return found

    def levels(self, purpose: str) -> Mapping[str, Level]:
        """Field -> how much of it this purpose sees."""
        return MappingProxyType(self.sight(purpose).levels)

    def columns(self) -> Mapping[str, str]:
        """Column of an import -> field."""
        return MappingProxyType({rule.column: name for name, rule in self.fields.items()})
