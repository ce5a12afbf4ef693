"""Digits as people type them: any decimal digits, blanks between, in codes dashes too (docs/formats/values.md)."""

import unicodedata
from collections.abc import Callable
from typing import NewType

from shared.errors import InvalidInputError
from shared.values import characters

Code = NewType("Code", str)  # ASCII digits, of a known number
Number = NewType("Number", str)  # a whole number in decimal digits without leading zeros

NUMBER_DIGITS_MAX = 18  # fits a signed 64-bit integer
TYPED_CHARS_MAX = 64
DASHES = "\u2212\u30fc"  # minus sign, and what Japanese keyboards give for a dash; besides the category Pd


def plain_digits(text: str) -> str:
    """Decimal digits of any script and width as ASCII; every other character as it is."""
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)


def is_dash(one: str) -> bool:
    """A dash of any length, as people put it between groups of digits."""
    return one in DASHES or unicodedata.category(one) == "Pd"


def code(text: str, digits: int, field: str = "code") -> Code:
    """Exactly `digits` digits; blanks and dashes between them don't matter. InvalidInputError for all else."""
    found = _digits(text, between=is_dash)
    if len(found) != digits or not (found.isascii() and found.isdigit()):
        raise InvalidInputError(f"the code has {digits} digits", field=field)
    return Code(found)


def number(text: str, field: str = "number", *, leading_zeros: bool = False) -> Number:
    """A customer's or an employee's number: 17. `leading_zeros`: people who type 0017 mean it."""
    found = _digits(text)
    if not (found.isascii() and found.isdigit()):
        raise InvalidInputError("not a whole number", field=field)
    plain = found.lstrip("0") or "0"
    if plain != found and not leading_zeros:
        raise InvalidInputError("begins with a zero: a number has one spelling, write it without", field=field)
    if len(plain) > NUMBER_DIGITS_MAX:
        raise InvalidInputError(f"more than {NUMBER_DIGITS_MAX} digits", field=field)
    return Number(plain)


def _digits(text: str, between: Callable[[str], bool] = lambda one: False) -> str:
    if len(text) > TYPED_CHARS_MAX:
        return ""
    return plain_digits("".join(one for one in text if not (characters.is_blank(one) or between(one))))
