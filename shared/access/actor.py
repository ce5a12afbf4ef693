"""Who does something. The id is a pseudonym; roles and team come from a verified token, never from a request."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["user", "service", "subject", "system"]


@dataclass(frozen=True)
class Actor:
    """`team`: ids of everyone who reports to this user, directly or not, and the user's own id. `session`: the id of that
    whose token it came with: it opens nothing, and joins what one person did between a sign-in and its end."""

    id: str
    kind: ActorKind
    roles: frozenset[str] = frozenset()
    team: frozenset[str] = frozenset()
    session: str = ""

    @classmethod
    def system(cls, service: str) -> "Actor":
        """The service itself: what the clock or a message starts."""
        return cls(id=f"system:{service}", kind="system")

    @classmethod
    def subject(cls, subject: str) -> "Actor":
        """A person acting on their own data."""
        return cls(id=subject, kind="subject")
