"""A refused attempt is a fact too: who tried what, on whom, and which policy said no (P7)."""

import re
from functools import cache
from types import new_class
from typing import cast

from shared.bus.event import Event

_ID = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class AccessRefused(Event, ordered=False):
    """Somebody (`ce_actor`) tried `action` and was refused. `subject` is the person asked for, whether or not there is one:
    an event that told the two apart would tell whom we know.

    `policies` forbade it; none: nothing permits it, or there is nothing that this actor may know of."""

    action: str
    resource: str
    purpose: str | None
    policies: list[str]

    @classmethod
    def of(cls, service: str) -> "type[AccessRefused]":
        """The type of one service: `kept.<service>.access.refused.v1`, on its own topic."""
        return _of(service)

    def key(self) -> str:
        return self.subject or self.type_


@cache
def _of(service: str) -> type[AccessRefused]:
    type_ = f"kept.{service}.access.refused.v1"
    name, about = f"{service.capitalize()}AccessRefused", {"__module__": __name__, "__doc__": AccessRefused.__doc__}
    made = new_class(name, (AccessRefused,), {"type": type_}, lambda body: body.update(about))
    return cast("type[AccessRefused]", made)


def named(type_: str, id_: str) -> str:
    """`Customer`, or with the id where it is one of ours: what somebody typed never goes into an event."""
    return f"{type_}:{id_}" if _ID.fullmatch(id_) else type_
