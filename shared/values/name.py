"""Names, and other text of people: as it was written, but nothing in it that can't be seen (docs/formats/values.md)."""

from typing import NewType

from shared.errors import InvalidInputError
from shared.values import characters

Name = NewType("Name", str)
Text = NewType("Text", str)  # an address, a city: what people wrote


def name(text: str, field: str = "name") -> Name | None:
    """The name without the blanks around it; None where it shows nothing. InvalidInputError never repeats it.

    It is kept as it was written: NFC would draw the names of some people in Japan with another character."""
    found = _shown(text, field, lines=False)
    return None if found is None else Name(found)


def free_text(text: str, field: str, *, lines: bool = False) -> Text | None:
    """As `name`. `lines`: line breaks are kept, each as LF."""
    found = _shown(text.replace("\r\n", "\n").replace("\r", "\n") if lines else text, field, lines=lines)
    return None if found is None else Text(found)


def _shown(text: str, field: str, *, lines: bool) -> str | None:
    if characters.shows_nothing(text):
        return None
    plain = characters.without_blanks(text)
    try:
        characters.check(plain, field, lines=lines)
    except InvalidInputError:
        characters.check(text, field, lines=lines)  # again, to tell the position in what was typed
        raise
    return plain
