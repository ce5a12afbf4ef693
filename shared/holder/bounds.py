"""How much a holder may say of a person, and how its words must look: the same before it is sent and where it comes.

A holder's words stand in pages, mails and certificates that people read as ours. So each is one line of visible characters, and
short; there are few of them; and an erasure's note fits one entry of the log, with which a certificate proves it. What a
holder has on a person is rendered for that person: it is bounded in whatever rendering grows with.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from shared.errors import InvalidInputError, MalformedError
from shared.holder.contract import Kept
from shared.values import characters

WORDS_CHARS_MAX = 300
KEPT_MAX = 50  # lines of what stays, of one holder about one person
KEPT_BYTES_MAX = 24 * 1024  # of them as JSON: note and event fit an entry of the log (65,535 bytes) with room for the rest
CATEGORIES_MAX = 200  # in one part, as all below
RECORDS_MAX = 10_000  # `parts_of` makes a part full by its bytes long before
COLUMNS_MAX = 500  # of one category
RECIPIENTS_MAX = 500
DEPTH_MAX = 16  # lists and named values inside one another


class Told(Protocol):
    """One kind of data, as whoever sends and whoever takes it has it."""

    @property
    def name(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def basis(self) -> str: ...
    @property
    def retention(self) -> str: ...
    @property
    def recipients(self) -> str | Sequence[str]: ...
    @property
    def records(self) -> Sequence[Mapping[str, Any]]: ...


def check_words(text: str, what: str) -> None:
    """MalformedError where `text`, a holder's own words, is not one short line of visible characters. Never repeats it."""
    if len(text) > WORDS_CHARS_MAX:
        raise MalformedError(f"{what}: a holder's words have at most {WORDS_CHARS_MAX} characters")
    if text.isascii() and text.isprintable():
        return
    try:
        characters.check(text, what)
    except InvalidInputError as error:
        raise MalformedError(f"{what}: {error.detail}") from None


def check_kept(kept: Sequence[Kept]) -> None:
    """MalformedError where what stays after an erasure is said in too many, too long or hidden words."""
    if len(kept) > KEPT_MAX:
        raise MalformedError(f"kept: at most {KEPT_MAX} lines")
    for one in kept:
        check_words(one.what, "kept.what")
        check_words(one.reason, "kept.reason")
    if sum(len(json.dumps([one.what, one.reason])) for one in kept) > KEPT_BYTES_MAX:
        raise MalformedError(f"kept: at most {KEPT_BYTES_MAX} bytes as JSON")


def check_part(categories: Sequence[Told]) -> None:
    """MalformedError where a part of what is held on a person is more, or of another shape, than a page can show."""
    _few(len(categories), CATEGORIES_MAX, "categories")
    _few(sum(len(one.records) for one in categories), RECORDS_MAX, "records")
    for one in categories:
        given = [one.recipients] if isinstance(one.recipients, str) else one.recipients
        _few(len(given), RECIPIENTS_MAX, "recipients")
        columns = {key for record in one.records for key in record}
        _few(len(columns), COLUMNS_MAX, "columns")
        for text in (one.name, one.purpose, one.basis, one.retention, *given):
            check_words(text, "category")
        for key in columns:
            check_words(key, "column")
        _check_values(one.records)


def _few(count: int, most: int, what: str) -> None:
    if count > most:
        raise MalformedError(f"a part of a holder's answer has at most {most} {what}")


def _check_values(values: Iterable[object]) -> None:
    """Level by level, so that no depth is too much for this check itself."""
    level = list(values)
    for _ in range(DEPTH_MAX):
        inner = [one.values() if isinstance(one, Mapping) else one for one in level if isinstance(one, Mapping | list | tuple)]
        level = [one for several in inner for one in several]
        if any(isinstance(one, float) and not math.isfinite(one) for one in level):
            raise MalformedError("a holder's values are numbers that JSON has")
        if not level:
            return
    raise MalformedError(f"a holder's values lie at most {DEPTH_MAX} deep in one another")
