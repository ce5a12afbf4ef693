"""Identifiers: what a person can be found by. Only values in their normal form, so that equal things hash alike."""

from typing import Literal, NewType

from shared.values.mailbox import Mailbox, mailbox
from shared.values.phone import Phone, phone
from shared.values.typed import Number

NORMAL_FORM = 2  # raised with the grammar: what is stored of an older one is made anew (shared/renewal.py); 1 is legacy.py
Kind = Literal["email", "phone", "external"]
External = NewType("External", str)  # `<kind of thing>:<its id>`, e.g. `customer:17`
Identifier = tuple[Literal["email"], Mailbox] | tuple[Literal["phone"], Phone] | tuple[Literal["external"], External]


def external(thing: str, number: Number) -> External:
    """Another system's or our own number of a person."""
    return External(f"{thing}:{number}")


def identifier(kind: Kind, written: str) -> Identifier:
    """From what another service knows. An external id is taken as it stands: only its owner knows its spelling."""
    if kind == "email":
        return "email", mailbox(written)
    if kind == "phone":
        return "phone", phone(written)
    return "external", External(written)


def version_of(locator: str) -> int:
    """Of which version of its key a locator is (`loc_<version>_...`, shared/keys/locators.py); 0 for what is none."""
    kind, _, rest = locator.partition("_")
    version, _, _ = rest.partition("_")
    return int(version) if kind == "loc" and version.isascii() and version.isdigit() else 0
