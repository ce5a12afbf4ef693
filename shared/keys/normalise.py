"""One spelling per identifier, so that equality of hashes is equality of people's identifiers."""

import re
import unicodedata

import idna
import phonenumbers

from shared.errors import InvalidInputError

EMAIL_CHARS_MAX = 254  # RFC 5321 §4.5.3.1.3: a path of 256 octets less its angle brackets
_EXTERNAL = re.compile(r"^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9._-]{1,64}$")


def normalise_email(value: str) -> str:
    """NFKC, lower case, domain in IDNA (ASCII). InvalidInputError(field="email")."""
    text = unicodedata.normalize("NFKC", value).strip().lower()
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or len(text) > EMAIL_CHARS_MAX or any(c.isspace() or ord(c) < 32 for c in text):
        raise InvalidInputError("not an e-mail address", field="email")
    try:
        host = idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise InvalidInputError("not an e-mail address", field="email") from None
    return f"{local}@{host}"


def normalise_phone(value: str, region: str | None = None) -> str:
    """E.164 (`+5512392555`); `region` (ISO 3166, two letters) for a number without `+`. InvalidInputError(field="phone")."""
    try:
        parsed = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        raise InvalidInputError("not a phone number", field="phone") from None
    if not phonenumbers.is_possible_number(parsed):
        raise InvalidInputError("not a phone number", field="phone")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def normalise_external(value: str) -> str:
    """An id in another system, `customer:17`. InvalidInputError(field="external")."""
    if not _EXTERNAL.fullmatch(value):
        raise InvalidInputError("not an external id of the form kind:id", field="external")
    return value
