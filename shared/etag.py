"""Versions of a thing as entity tags, and the condition that an update carries (RFC 9110 sections 8.8.3, 13.1.1)."""

import re
from dataclasses import dataclass

from shared.errors import InvalidInputError, PreconditionError, PreconditionRequiredError

TAGS_MAX = 20  # in one If-Match
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def etag(version: int) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


@dataclass(frozen=True)
class Condition:
    """What the sender has seen: tags, of which one must be the present one."""

    tags: frozenset[str]

    @classmethod
    def on(cls, version: int) -> "Condition":
        """The condition that the thing is still at `version`."""
        return cls(frozenset([etag(version)]))

    @classmethod
    def parse(cls, if_match: str) -> "Condition":
        """The value of If-Match. PreconditionRequiredError for none and for `*`: nobody overwrites what they have not
        seen. InvalidInputError for what is no tag. A weak tag never matches (strong comparison): it is left out."""
        text = if_match.strip()
        if text in ("", "*"):
            raise PreconditionRequiredError("send If-Match with the ETag that you read")
        found = [_TAG.fullmatch(part.strip()) for part in text.split(",", TAGS_MAX)]
        if any(one is None for one in found):
            raise InvalidInputError('If-Match takes the ETag as it was sent, with its quotes, as "3"', field="If-Match")
        return cls(frozenset(f'"{one[2]}"' for one in found if one is not None and not one[1]))

    def require(self, version: int) -> None:
        """PreconditionError unless the thing, at `version`, is what the sender has seen."""
        if etag(version) not in self.tags:
            raise PreconditionError("it changed since it was read; read it again")
