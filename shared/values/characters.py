"""Which characters a typed value may hold: what can't be seen can't be compared, searched or corrected by a person.

A refusal names the code point and where it stands, never the value around it.
"""

import unicodedata
from collections.abc import Callable, Iterator
from typing import TypeVar

import idna

from shared.errors import InvalidInputError

T = TypeVar("T")
# Unicode's Default_Ignorable_Code_Point, which Python does not carry: shown as nothing by every font.
_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_EMPTY_SIGNS = "\u2800\U0001d159\U00016fe4"  # braille blank, null notehead, a filler: signs that are drawn as nothing
_BLANKS = "\t\n\r"  # besides the category Zs
_CHOICES = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))  # variation selectors: which drawing of the character before
_MONGOLIAN, _MONGOLIAN_CHOICES, _MONGOLIAN_VOWEL = (0x1820, 0x18AA), "\u180b\u180c\u180d\u180f", "\u180e"
_JOINERS = "\u200c\u200d"


def is_blank(one: str) -> bool:
    """A space of any width, a tab or a line break."""
    return one in _BLANKS or unicodedata.category(one) == "Zs"


def without_blanks(text: str) -> str:
    """`text` without the blanks around it, of any width."""
    start, end = 0, len(text)
    while start < end and is_blank(text[start]):
        start += 1
    while end > start and is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def shows_nothing(text: str) -> bool:
    """Whether whoever looks at it sees an empty field."""
    return all(is_blank(one) or _invisible(one) for one in text)


def given(rule: Callable[[str, str], T]) -> Callable[[str, str], T | None]:
    """`rule`, and None where nothing is given: a value that shows nothing is empty."""
    return lambda text, field: None if shows_nothing(text) else rule(text, field)


def check(text: str, field: str, *, lines: bool = False) -> None:
    """InvalidInputError for control characters, line and paragraph separators, what turns the direction of writing, what
    shows nothing, half characters and noncharacters. A joiner or variation selector may stand where its script needs it.

    `lines`: line breaks are part of the value, as in an address."""
    for position, one in enumerate(text):
        if one == "\n" and lines:
            continue
        if _refused(one) and not _needed(text, position):
            raise InvalidInputError(f"holds {_what(one)}, {name_of(one)} at character {position + 1}; take it out", field=field)


def check_identifier(text: str, field: str) -> None:
    """As `check`, for what identifies: no joiners, no variation selectors, nothing private or not yet assigned."""
    for position, one in enumerate(text):
        if one in _BLANKS:
            continue
        if _refused(one) or unicodedata.category(one) in ("Co", "Cn"):
            raise InvalidInputError(f"holds {_what(one)}, {name_of(one)} at character {position + 1}; take it out", field=field)


def name_of(one: str) -> str:
    """U+200B."""
    return f"U+{ord(one):04X}"


def ignorable() -> Iterator[str]:
    """Every character that shows nothing (tests go through them)."""
    for first, last in _IGNORABLE:
        yield from map(chr, range(first, last + 1))
    yield from _EMPTY_SIGNS


def _invisible(one: str) -> bool:
    return one in _EMPTY_SIGNS or _within(one, _IGNORABLE)


def _refused(one: str) -> bool:
    # Not Cn as a whole: Unicode grows, and the new ideographs stand in people's names before Python knows them.
    return _invisible(one) or unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") or _is_noncharacter(one)


def _needed(text: str, position: int) -> bool:
    """Whether this invisible character does what it is for: RFC 5892 A.1 and A.2 for joiners; a variation selector follows
    the one character it chooses a drawing of; Mongolian has its own."""
    one, before = text[position], text[position - 1] if position else ""
    if not before:
        return False
    if one in _JOINERS:
        try:
            return idna.valid_contextj(text, position)
        except ValueError:  # beside a character that Python does not know yet
            return False
    if _within(one, _CHOICES):
        return unicodedata.category(before)[0] in "LNS" and not _invisible(before)
    if one in _MONGOLIAN_CHOICES:
        return _within(before, (_MONGOLIAN,))
    if one == _MONGOLIAN_VOWEL:
        return _within(before, (_MONGOLIAN,)) and _within(text[position + 1 : position + 2], (_MONGOLIAN,))
    return False


def _what(one: str) -> str:
    category = unicodedata.category(one)
    if category == "Cc":
        return "a control character"
    if category in ("Zl", "Zp"):
        return "a line separator"
    if _invisible(one) or category == "Cf":
        return "an invisible character"
    return "a character without a meaning of its own"


def _is_noncharacter(one: str) -> bool:
    return 0xFDD0 <= ord(one) <= 0xFDEF or ord(one) & 0xFFFE == 0xFFFE


def _within(one: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return bool(one) and any(first <= ord(one) <= last for first, last in ranges)
