"""What holders and dsar wrote before version 2: so that an old bus can still be read. Nothing acts on it any more.

Answers of version 1 all travelled on one topic that every holder could write, and two of three were not signed. dsar does
not read that topic; what it had asked when it was upgraded it asks again, as it does wherever an answer is missing.
"""

from functools import cache
from types import new_class
from typing import ClassVar, Self, cast

from pydantic import Field

from shared.bus.event import Event
from shared.holder.contract import COMMANDS, Kept, OfRequest

ANSWERS = "kept.dsar.answers"


class CollectV1(OfRequest, type="kept.dsar.command.collect.v1", topic=COMMANDS):
    """Say everything about the subject, sealed to `recipient` (age)."""

    recipient: str
    reply_by: str


class EraseV1(OfRequest, type="kept.dsar.command.erase.v1", topic=COMMANDS):
    """Forget the subject; two people approved (`approval_id`)."""

    approval_id: str


class AnswerV1(OfRequest):
    verb: ClassVar[str] = ""

    holder: str

    @classmethod
    def of(cls, holder: str) -> type[Self]:
        """The answer type of one holder."""
        return cast("type[Self]", _of(cls, holder))


class LocatedV1(AnswerV1):
    """`found`: everybody here whom it leads to, each with all locators that lead there; what was asked for may be several
    people's, and one person's several records. `subject` and `several` say the same to who reads no `found` (one; more)."""

    verb = "located"

    several: dict[str, list[str]] = Field(default_factory=dict)
    found: dict[str, list[str]] | None = None  # None: from a holder that does not say it yet


class CollectedV1(AnswerV1):
    """Part `part` of `parts` (from 1): base64 of an age file of `Collection` as JSON."""

    verb = "collected"

    part: int = Field(ge=1)
    parts: int = Field(ge=1, le=10_000)
    sealed: str


class ErasedV1(AnswerV1):
    """Forgotten. `note` is the holder's signed word (`erasure_text`)."""

    verb = "erased"

    fields: int = Field(ge=0)
    kept: list[Kept]
    note: str


class AttestedV1(OfRequest, type="kept.audit.answer.attested.v1", topic=ANSWERS):
    """A receipt (shared/notes/tlogproof.py) per event id."""

    receipts: dict[str, str]


@cache
def _of(base: type[AnswerV1], holder: str) -> type[Event]:
    declared = {"type": f"kept.{holder}.answer.{base.verb}.v1", "topic": ANSWERS}
    name = f"{holder.capitalize()}{base.__name__}"
    return new_class(name, (base,), declared, lambda body: body.update(__module__=base.__module__, __doc__=base.__doc__))
