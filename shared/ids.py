"""Identifiers: prefix + `_` + UUIDv7 (RFC 9562) as 32 hex digits. They are pseudonyms: they say nothing
about the person and sort by the time they were made.

Prefixes: `sub` subject (users are subjects too), `req` data-subject request, `apr` approval, `bak` backup set,
`drl` drill, `imp` import. Event ids (`ce_id`) are bare UUIDv7.
"""

import re

import uuid_utils

from shared.errors import MalformedError

_ID = re.compile(r"^(?P<prefix>[a-z]{3})_(?P<hex>[0-9a-f]{32})$")


def new_id(prefix: str) -> str:
    """A fresh id with `prefix` (three lower-case letters)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def new_event_id() -> str:
    """A fresh event id: UUIDv7 in its canonical text form."""
    return str(uuid_utils.uuid7())


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` is an id with exactly this prefix."""
    found = _ID.fullmatch(text)
    return found is not None and found["prefix"] == prefix


def require_id(text: str, prefix: str) -> str:
    """`text` if it is an id with `prefix`, else MalformedError (which does not repeat the text)."""
    if not is_id(text, prefix):
        raise MalformedError(f"not an id of the form {prefix}_<32 hex digits>")
    return text
