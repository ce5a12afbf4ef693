"""Phones: E.164, any country, from what people and spreadsheets write (docs/formats/values.md)."""

import re
import unicodedata
from typing import NewType

import phonenumbers

from shared.errors import InvalidInputError
from shared.values import characters
from shared.values.countries import region_of
from shared.values.typed import is_dash, plain_digits

Phone = NewType("Phone", str)  # only `phone` makes one

TYPED_CHARS_MAX = 60
SCHEME = "tel:"
SIGNS = frozenset("0123456789+-()./ ")  # what may stand in a number; all else has a reason below
_TOO_LONG = "too many digits for one phone number; if there are two, give one"
_WRONG = {
    phonenumbers.NumberParseException.INVALID_COUNTRY_CODE: "no country has this code",
    phonenumbers.NumberParseException.TOO_LONG: _TOO_LONG,
}
_SPREADSHEET = re.compile(r"[0-9]+([.,][0-9]+)?e\+?[0-9]+")
_EXTENSION = re.compile(r"(x|ext|extn|extension|app|poste|durchwahl|dw|#|;)[^0-9]*[0-9]*\s*$|\u5206\u673a|\u8f6c")


def phone(text: str, country: str | None = None, field: str = "phone") -> Phone:
    """E.164. `country`, as people write it, for a number without a country code.

    InvalidInputError says why it can't be used, and never repeats it. phone(phone(x)) == phone(x)."""
    if len(text) > TYPED_CHARS_MAX:
        raise InvalidInputError("too long for one phone number", field=field)
    characters.check_identifier(text, field)
    plain = _plain(text)
    _say_what_is_wrong(plain, field)
    digits = "".join(one for one in plain if one in "+0123456789")
    if digits.startswith("00"):  # how most of the world dials what is written +
        digits = "+" + digits[2:]
    if "+" in digits[1:]:
        raise InvalidInputError("not a phone number: + stands at its beginning, once", field=field)
    region = region_of(country) if country else None
    if not digits.startswith("+") and region is None:
        why = "the country is not known" if country and country.strip() else "there is no country"
        raise InvalidInputError(f"a phone number without a country code (+…), and {why}", field=field)
    return _e164(digits, region, field)


def _e164(digits: str, region: str | None, field: str) -> Phone:
    number = _parsed(digits, region, field)
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible == phonenumbers.ValidationResult.TOO_LONG:
        raise InvalidInputError(_TOO_LONG, field=field)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise InvalidInputError("too few digits for a phone number of its country, area code included", field=field)
    normal = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if _parsed(normal, None, field) != number:  # of two trunk prefixes the parser takes one away, and the other the next time
        raise InvalidInputError("not a phone number: its trunk prefix (the 0 of 030) is written twice", field=field)
    return Phone(normal)


def _parsed(digits: str, region: str | None, field: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException as error:
        raise InvalidInputError(_WRONG.get(error.error_type, "not a phone number"), field=field) from None


def _plain(text: str) -> str:
    """ASCII digits, plain dashes and blanks, no `tel:`."""
    if text.isascii() and text.isprintable():  # as most are: what follows would leave it as it is
        return text.lower().strip().removeprefix(SCHEME).strip()
    folded = plain_digits(unicodedata.normalize("NFKC", text)).lower()
    told = "".join("-" if is_dash(one) else " " if characters.is_blank(one) else one for one in folded)
    return told.strip().removeprefix(SCHEME).strip()


def _say_what_is_wrong(plain: str, field: str) -> None:
    if _SPREADSHEET.fullmatch(plain):
        raise InvalidInputError("shortened by a spreadsheet: its digits are lost; format the column as text", field=field)
    if plain.startswith("#") and not any(one.isdigit() for one in plain):
        raise InvalidInputError("a spreadsheet's error instead of a phone number", field=field)
    if _EXTENSION.search(plain):
        raise InvalidInputError("a phone number with an extension; write the number alone", field=field)
    if any(one not in SIGNS for one in plain):
        raise InvalidInputError("not a phone number: digits alone, with + blanks - ( ) . / between", field=field)
    if not any(one.isdigit() for one in plain):
        raise InvalidInputError("not a phone number: there is no digit", field=field)
