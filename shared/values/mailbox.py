"""Mailboxes: exactly one addr-spec in one normal form, the same at every door (docs/formats/values.md)."""

import unicodedata
from functools import lru_cache
from typing import NewType

import email_validator

from shared.errors import InvalidInputError
from shared.values import characters

Mailbox = NewType("Mailbox", str)  # only `mailbox` makes one

OCTETS_MAX = 254  # RFC 5321 section 4.5.3.1.3 with its erratum 1690
LOCAL_OCTETS_MAX = 64  # RFC 5321 section 4.5.3.1.1
TYPED_CHARS_MAX = 1_000  # of what is looked at: an address is shorter, whatever stands around it
SCHEME = "mailto:"
DOTS = str.maketrans({"\u3002": ".", "\uff61": "."})  # the full stop of Chinese and Japanese keyboards; NFKC leaves the first
ENCODED_WORD = "=?"  # RFC 2047: mail software would read another address out of it
# Names that can't have mailboxes at all. The library's list is longer: companies have mail under `.local`, tests `.test`.
email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = ["arpa", "invalid", "localhost", "onion"]


def mailbox(text: str, field: str = "email") -> Mailbox:
    """The normal form of the one address in `text`: local part NFKC in lower case, domain as IDNA 2008 A-labels.

    InvalidInputError says what is wrong and never repeats the value. mailbox(mailbox(x)) == mailbox(x)."""
    return _normal(text, field)


@lru_cache(maxsize=16)  # of one value the same is asked twice in a row: whether it may be written, and by what it is found
def _normal(text: str, field: str) -> Mailbox:
    if len(text) > TYPED_CHARS_MAX:
        raise InvalidInputError("too long for an e-mail address", field=field)
    characters.check_identifier(text, field)
    plain = _unwrapped(text)
    _say_what_is_wrong(plain, field)
    found = _parsed(plain, field)
    again = _unwrapped(found)
    if again != plain and _parsed(again, field) != found:  # compatibility forms that unfold in two steps
        raise InvalidInputError("not an e-mail address: it has no one spelling", field=field)
    return Mailbox(found)


def as_written(text: str, field: str = "email") -> str:
    """What is kept and shown of a mailbox: as its owner writes it, without the blanks and the `mailto:` around it."""
    mailbox(text, field)
    plain = characters.without_blanks(text)
    return characters.without_blanks(plain[len(SCHEME) :]) if plain[: len(SCHEME)].lower() == SCHEME else plain


def _unwrapped(text: str) -> str:
    """Without what people copy along (blanks, `mailto:`), full-width forms as the plain ones, lower case."""
    plain = characters.without_blanks(_folded(text))
    return characters.without_blanks(plain.removeprefix(SCHEME))


def _folded(text: str) -> str:
    lower = unicodedata.normalize("NFKC", text).translate(DOTS).lower()
    return unicodedata.normalize("NFKC", lower)


def _parsed(plain: str, field: str) -> str:
    try:
        found = email_validator.validate_email(
            plain,
            allow_smtputf8=True,
            allow_empty_local=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            strict=True,
            check_deliverability=False,
            globally_deliverable=True,
        )
    except email_validator.EmailNotValidError:  # its words quote the value
        raise InvalidInputError("not an e-mail address", field=field) from None
    local, domain = str(found.local_part), str(found.ascii_domain)
    if len(local.encode()) > LOCAL_OCTETS_MAX or len(f"{local}@{domain}".encode()) > OCTETS_MAX:
        raise InvalidInputError("too long for an e-mail address", field=field)
    return f"{local}@{domain}"


def _say_what_is_wrong(plain: str, field: str) -> None:
    """The mistakes that people make, in words; the library decides about all others."""
    characters.check_identifier(plain, field)  # again: what NFKC made of it
    if "@" not in plain:
        raise InvalidInputError("not an e-mail address: there is no @", field=field)
    if ";" in plain or "," in plain:
        raise InvalidInputError("one e-mail address, not a list", field=field)
    if "<" in plain or ">" in plain or '"' in plain or "(" in plain:
        raise InvalidInputError("the e-mail address alone, without a name, brackets or quotes", field=field)
    if characters.has_blank(plain):
        raise InvalidInputError("not an e-mail address: there is a blank in it", field=field)
    if plain.count("@") > 1:
        raise InvalidInputError("not an e-mail address: more than one @", field=field)
    if plain.endswith("."):
        raise InvalidInputError("not an e-mail address: it ends with a dot", field=field)
    if ENCODED_WORD in plain:
        raise InvalidInputError("not an e-mail address: =? stands for an encoded word", field=field)
