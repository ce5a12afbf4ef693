"""Normal form 1: what locators and blind indexes were made of until docs/formats/values.md.

Here and nowhere else. Values are looked for in both forms, so that records are found which the renewal (shared/renewal.py)
has not reached, or can't: what today's grammar refuses stays as it is until a person mends it. It goes with the next version.
"""

import unicodedata
from contextlib import suppress

import idna
import phonenumbers

from shared.errors import InvalidInputError
from shared.values.mailbox import Mailbox, mailbox
from shared.values.phone import Phone, phone

CHARS_MAX = 254
REGIONS = {
    "Argentina": "AR", "Australia": "AU", "Austria": "AT", "Belgium": "BE", "Brazil": "BR", "Canada": "CA", "Chile": "CL",
    "China": "CN", "Czech Republic": "CZ", "Denmark": "DK", "Finland": "FI", "France": "FR", "Germany": "DE", "Hungary": "HU",
    "India": "IN", "Ireland": "IE", "Italy": "IT", "Netherlands": "NL", "Norway": "NO", "Poland": "PL", "Portugal": "PT",
    "Spain": "ES", "Sweden": "SE", "USA": "US", "United Kingdom": "GB",
}  # fmt: skip


def mailboxes(text: str) -> list[Mailbox]:
    """The forms that a record with this address may be stored under, today's first; none where neither grammar takes it."""
    found: list[Mailbox] = []
    with suppress(InvalidInputError):
        found.append(mailbox(text))
    old = _old_mailbox(text)
    return found if old is None or old in found else [*found, old]


def phones(text: str, country: str | None = None) -> list[Phone]:
    """As `mailboxes`."""
    found: list[Phone] = []
    with suppress(InvalidInputError):
        found.append(phone(text, country))
    old = _old_phone(text, country)
    return found if old is None or old in found else [*found, old]


def _old_mailbox(value: str) -> Mailbox | None:
    text = unicodedata.normalize("NFKC", value).strip().lower()
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or len(text) > CHARS_MAX or any(one.isspace() for one in text):
        return None
    try:
        return Mailbox(f"{local}@{idna.encode(domain, uts46=True).decode()}")
    except (idna.IDNAError, UnicodeError):
        return None


def _old_phone(value: str, country: str | None) -> Phone | None:
    try:
        number = phonenumbers.parse(value, REGIONS.get(country or ""))
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return Phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
