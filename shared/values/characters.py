"""Which characters a typed value may hold: what can't be seen can't be compared, searched or corrected by a person.

A refusal names the code point and where it stands, never the value around it.
"""

import re
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
_ALL_BLANKS = _BLANKS + "".join(chr(one) for one in range(0x3001) if unicodedata.category(chr(one)) == "Zs")
_EACH_BLANK = frozenset(_ALL_BLANKS)
_SHOWN_AS_NOTHING = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in _IGNORABLE)}{_EMPTY_SIGNS}]")
_CHOICES = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))  # variation selectors: which drawing of the character before
_MONGOLIAN, _MONGOLIAN_CHOICES, _MONGOLIAN_VOWEL = (0x1820, 0x18AA), "\u180b\u180c\u180d\u180f", "\u180e"
_JOINERS = "\u200c\u200d"


def is_blank(one: str) -> bool:
    """A space of any width, a tab or a line break."""
    return one in _EACH_BLANK


def has_blank(text: str) -> bool:
    """Whether one of its characters is a blank."""
    return not _EACH_BLANK.isdisjoint(text)


def without_blanks(text: str) -> str:
    """`text` without the blanks around it, of any width."""
    return text.strip(_ALL_BLANKS)


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
    if _plainly_visible(text.replace("\n", "") if lines else text):
        return
    for position, one in enumerate(text):
        if one == "\n" and lines:
            continue
        if _refused(one) and not _needed(text, position):
            raise InvalidInputError(f"holds {_what(one)}, {name_of(one)} at character {position + 1}; take it out", field=field)


def check_identifier(text: str, field: str) -> None:
    """As `check`, for what identifies: no joiners, no variation selectors, nothing private or not yet assigned."""
    if _plainly_visible(text):
        return
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


def _plainly_visible(text: str) -> bool:
    """Whether no character of it is refused by any rule, at a glance. (Python calls printable what is assigned and neither a
    control character, a format character, half a character, private, nor a separator besides the space.)"""
    return text.isprintable() and _SHOWN_AS_NOTHING.search(text) is None


def _invisible(one: str) -> bool:
    return _SHOWN_AS_NOTHING.fullmatch(one) is not None


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
