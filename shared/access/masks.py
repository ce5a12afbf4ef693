"""Masks: what of a value is shown where the purpose does not need all of it."""

from typing import Literal

Kind = Literal["email", "phone", "address", "name", "text"]
Level = Literal["clear", "masked", "hidden"]
DOTS = "•••"
TOP_LEVEL_MAX = 6  # `.museum`; what is longer could be anything


def mask(kind: Kind, value: str) -> str:
    """`value` with only what recognises it left: `l•••@e•••.br`, `+55 ••• 55`, `L•••`. Addresses and texts show nothing.

    The number of dots never tells a length.
    """
    if not value:
        return ""
    if kind == "email":
        local, _, domain = value.rpartition("@")
        top = domain.rpartition(".")[2] if "." in domain else ""
        end = f".{top}" if len(top) <= TOP_LEVEL_MAX and top.isalpha() else ""
        return f"{_first(local)}{DOTS}@{_first(domain)}{DOTS}{end}"
    if kind == "phone":
        digits = [c for c in value if c.isdigit()]
        return f"{DOTS} {''.join(digits[-2:])}" if len(digits) > 4 else DOTS
    if kind == "name":
        return f"{_first(value)}{DOTS}"
    return DOTS


def _first(text: str) -> str:
    """The first letter, but never all there is: 李 is a whole name."""
    return text[:1] if len(text) > 1 else ""


def shown(level: Level, kind: Kind, value: str) -> str | None:
    """The value at `level`: itself, its mask, or None (hidden)."""
    if level == "clear":
        return value
    return mask(kind, value) if level == "masked" else None
