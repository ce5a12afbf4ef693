"""The names of places, for a person to choose theirs: countries as CLDR names them, their parts as the law files do."""

from functools import lru_cache

from babel import Locale

from services.dsar.law.jurisdiction import Jurisdiction


def named_places(jurisdiction: Jurisdiction, language: str) -> list[tuple[str, str]]:
    """(code, name) of every place whose law is kept, in the order of its names in that language."""
    parts = {place: names for law in jurisdiction.book.values() for place, names in law.place_names.items()}
    found = []
    for place in jurisdiction.places():
        country, part = _country(place.partition("-")[0], language), parts.get(place, {}).get(language)
        found.append((place, f"{country}: {part}" if part else country))
    return sorted(found, key=lambda one: one[1])


@lru_cache(maxsize=1000)
def _country(code: str, language: str) -> str:
    return str(Locale.parse(language).territories[code])
