"""Event declarations: the typed, versioned public contract of the bus.

Grammar of a type: `kept.<service>.<thing>.<past tense>.v<N>` (an event) or `kept.dsar.command.<imperative>.v<N>`
(a command to holders). One class per type and version:

    class CustomerCreated(Event, type="kept.customers.customer.created.v1"):
        key_version: int

`subject` is the person it is about (ce_subject) and, unless `key()` says otherwise, the record key, so that one
person's events stay in order. An event that only tells of a look, or of something refused, is declared `ordered=False`: it
changes nothing, so it need not stand in order, and whoever writes it waits for nobody. Everything else is the JSON body.
Personal values never stand here in clear: declare them as `Ciphertext` (shared/keys/ciphertext.py), which takes only what
the keyring sealed, and name the key version.
"""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

_TYPE = re.compile(r"^kept\.(?P<service>[a-z]+)\.(?P<thing>[a-z_]+)\.(?P<verb>[a-z_]+)\.v(?P<version>[1-9][0-9]*)$")

REGISTRY: dict[str, type["Event"]] = {}


class Event(BaseModel):
    """A fact (or, on the command topic, a command). Immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type_: ClassVar[str] = ""
    topic: ClassVar[str] = ""
    source: ClassVar[str] = ""
    ordered: ClassVar[bool] = True  # whether the events of one key go out in the order of their commits

    subject: str | None = Field(default=None, exclude=True, description="pseudonym; travels as ce_subject")

    def __init_subclass__(cls, type: str = "", topic: str = "", ordered: bool | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if ordered is not None:
            cls.ordered = ordered
        if not type:
            return
        found = _TYPE.fullmatch(type)
        if found is None:
            raise ValueError(f"event type {type!r} does not follow kept.<service>.<thing>.<verb>.v<N>")
        if type in REGISTRY and REGISTRY[type].__qualname__ != cls.__qualname__:
            raise ValueError(f"event type {type!r} is declared twice")
        cls.type_ = type
        cls.topic = topic or f"kept.{found['service']}"
        cls.source = f"/services/{found['service']}"
        REGISTRY[type] = cls

    def key(self) -> str:
        """The record key: the subject, else what the subclass says (an aggregate id), else the type."""
        return self.subject or self.type_
