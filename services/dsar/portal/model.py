"""One-time codes: eight digits, fifteen minutes, five tries, once. Pure: numbers and instants come in."""

import unicodedata
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

from shared.errors import InvalidInputError
from shared.keys.normalise import normalise_phone

CODE_NUMBERS = 10**8  # eight digits: five tries hit with 1 : 20,000,000
CODE_LIFE = timedelta(minutes=15)  # from its last sending
CODE_RESENT_MAX = timedelta(minutes=45)  # from its first: later a fresh one is sent, so no code lives longer than an hour
CODE_TRIES_MAX = 5  # of one code, however often it is sent
CAPABILITY_LIFE = timedelta(days=90)  # longest law plus extension
NUMBER_CHARS_MAX = 40
ADDRESS_CHARS_MAX = 254  # RFC 5321 path limit


def code_text(number: int) -> str:
    """The code as it stands in the mail: 1234 5678."""
    if not 0 <= number < CODE_NUMBERS:
        raise ValueError("not a code number")
    digits = f"{number:08d}"
    return f"{digits[:4]} {digits[4:]}"


def typed_code(text: str) -> str:
    """Eight digits from what a person typed: spaces, dashes and full-width digits are fine."""
    digits = "".join(c for c in unicodedata.normalize("NFKC", text[:64]) if c not in " -\t\n\r\u2013\u2014\xa0")
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        raise InvalidInputError("the code has eight digits", field="code")
    return digits


def numbers(text: str) -> list[tuple[Literal["phone", "external"], str]]:
    """What a typed number may be, as identifiers: a customer's, an employee's, or a phone number with country code."""
    typed = unicodedata.normalize("NFKC", text[:NUMBER_CHARS_MAX]).strip()
    digits = "".join(typed.split())
    found: list[tuple[Literal["phone", "external"], str]] = []
    if digits.isascii() and digits.isdigit():
        plain = digits.lstrip("0") or "0"
        found += [("external", f"customer:{plain}"), ("external", f"employee:{plain}")]
    with suppress(InvalidInputError):
        found.append(("phone", normalise_phone(typed)))
    if not found:
        raise InvalidInputError("a customer number, or a phone number with country code", field="number")
    return found


def is_live(expires_at: datetime, tries: int, now: datetime) -> bool:
    """Whether a code may still be tried."""
    return now < expires_at and tries < CODE_TRIES_MAX


def may_resend(issued_at: datetime, expires_at: datetime, tries: int, now: datetime) -> bool:
    """Whether another mail carries the living code again, so that neither of two mails is the wrong one."""
    return is_live(expires_at, tries, now) and now < issued_at + CODE_RESENT_MAX
