"""One-time codes: eight digits, fifteen minutes, five tries, once. Pure: numbers and instants come in."""

from contextlib import suppress
from datetime import datetime, timedelta

from shared.errors import InvalidInputError
from shared.values.identifiers import Identifier, external
from shared.values.legacy import phones
from shared.values.phone import TYPED_CHARS_MAX as PHONE_CHARS_MAX
from shared.values.typed import Code, code, number

CODE_NUMBERS = 10**8  # eight digits: five tries hit with 1 : 20,000,000
CODE_DIGITS = 8
CODE_LIFE = timedelta(minutes=15)  # from its last sending
CODE_RESENT_MAX = timedelta(minutes=45)  # from its first: later a fresh one is sent, so no code lives longer than an hour
CODE_TRIES_MAX = 5  # of one code, however often it is sent
CAPABILITY_LIFE = timedelta(days=90)  # longest law plus extension


def code_text(number: int) -> str:
    """The code as it stands in the mail: 1234 5678."""
    if not 0 <= number < CODE_NUMBERS:
        raise ValueError("not a code number")
    digits = f"{number:08d}"
    return f"{digits[:4]} {digits[4:]}"


def typed_code(text: str) -> Code:
    """Eight digits from what a person typed: blanks, dashes and full-width digits are fine."""
    return code(text, CODE_DIGITS)


def numbers(text: str) -> list[Identifier]:
    """What a typed number may be: a customer's, an employee's, or a phone number with country code."""
    found: list[Identifier] = []
    with suppress(InvalidInputError):
        plain = number(text, leading_zeros=True)
        found += [("external", external("customer", plain)), ("external", external("employee", plain))]
    found += [("phone", one) for one in phones(text[:PHONE_CHARS_MAX])]
    if not found:
        raise InvalidInputError("a customer number, or a phone number with country code", field="number")
    return found


def is_live(expires_at: datetime, tries: int, now: datetime) -> bool:
    """Whether a code may still be tried."""
    return now < expires_at and tries < CODE_TRIES_MAX


def may_resend(issued_at: datetime, expires_at: datetime, tries: int, now: datetime) -> bool:
    """Whether another mail carries the living code again, so that neither of two mails is the wrong one."""
    return is_live(expires_at, tries, now) and now < issued_at + CODE_RESENT_MAX
