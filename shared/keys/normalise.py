"""One spelling per identifier, so that equal things hash alike: e-mail NFKC, lower case, IDNA domain; phone E.164."""

import unicodedata

import idna
import phonenumbers

from shared.errors import InvalidInputError

EMAIL_CHARS_MAX = 254  # RFC 5321 section 4.5.3.1.3 with its erratum


def normalise_email(value: str) -> str:
    """InvalidInputError (which does not repeat the value) for what is not an address."""
    text = unicodedata.normalize("NFKC", value).strip().lower()
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or len(text) > EMAIL_CHARS_MAX or any(c.isspace() for c in text):
        raise InvalidInputError("not an e-mail address", field="email")
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise InvalidInputError("not an e-mail address", field="email") from None


def normalise_phone(value: str, region: str | None = None) -> str:
    """E.164. `region`: ISO 3166 country for numbers without a country code."""
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        raise InvalidInputError("not a phone number", field="phone") from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidInputError("not a phone number", field="phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
