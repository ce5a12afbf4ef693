"""What dsar asks holders, and what they answer (DESIGN.md section 4 and 5). All holders share these types.

Commands travel on `kept.dsar.commands`, answers on `kept.dsar.answers`; both are keyed by the request, so that one
request's
records stay in order. The person's pseudonym travels as `ce_subject`. Each holder has answer types of its own,
`kept.<holder>.answer.<verb>.v1`, made by `Located.of("customers")`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import new_class
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field

from shared.bus.event import REGISTRY, Event
from shared.errors import MalformedError

COMMANDS = "kept.dsar.commands"
ANSWERS = "kept.dsar.answers"
_HOLDER = re.compile(r"[a-z]{2,32}")


class _OfRequest(Event):
    request_id: str

    def key(self) -> str:
        return self.request_id


class Locate(_OfRequest, type="kept.dsar.command.locate.v1", topic=COMMANDS):
    """Whom do these locators belong to?"""

    locators: list[str]
    reply_by: str


class Collect(_OfRequest, type="kept.dsar.command.collect.v1", topic=COMMANDS):
    """Say everything about the subject, sealed to `recipient` (age)."""

    recipient: str
    reply_by: str


class Erase(_OfRequest, type="kept.dsar.command.erase.v1", topic=COMMANDS):
    """Forget the subject; two people approved (`approval_id`)."""

    approval_id: str


class Attest(_OfRequest, type="kept.dsar.command.attest.v1", topic=COMMANDS):
    """To audit alone: receipts for these events."""

    event_ids: list[str]


class _Answer(_OfRequest):
    verb: ClassVar[str] = ""
    topic_of: ClassVar[str] = ANSWERS

    holder: str

    @classmethod
    def of(cls, holder: str) -> type[Self]:
        """The answer type of one holder."""
        if _HOLDER.fullmatch(holder) is None:
            raise MalformedError("a holder's name is 2 to 32 lower-case letters")
        return cast("type[Self]", _of(cls, holder))


class Located(_Answer):
    """`found`: everybody here whom it leads to, each with all locators that lead there; what was asked for may be several
    people's, and one person's several records. `subject` and `several` say the same to who reads no `found` (one; more)."""

    verb = "located"

    several: dict[str, list[str]] = Field(default_factory=dict)
    found: dict[str, list[str]] | None = None  # None: from a holder that does not say it yet

    @property
    def everybody(self) -> dict[str, list[str]]:
        """The records here, however the holder says them."""
        if self.found is not None:
            return self.found
        return self.several or ({self.subject: []} if self.subject else {})


class Collected(_Answer):
    """Part `part` of `parts` (from 1): base64 of an age file of `Collection` as JSON."""

    verb = "collected"

    part: int = Field(ge=1)
    parts: int = Field(ge=1, le=10_000)
    sealed: str


class Kept(BaseModel):
    """What may not be erased, and why (an article)."""

    model_config = ConfigDict(frozen=True)

    what: str
    reason: str


class Erased(_Answer):
    """Forgotten. `note` is the holder's signed word (`erasure_text`)."""

    verb = "erased"

    fields: int = Field(ge=0)
    kept: list[Kept]
    note: str


class Attested(_OfRequest, type="kept.audit.answer.attested.v1", topic=ANSWERS):
    """A receipt (shared/notes/tlogproof.py) per event id."""

    receipts: dict[str, str]


class SubjectShredded(_OfRequest):
    """The holder destroyed the subject's key: type `kept.<holder>.subject.shredded.v1` on the holder's own topic."""

    key_version: int

    @classmethod
    def of(cls, holder: str, topic: str = "") -> type["SubjectShredded"]:
        return _shredded(holder, topic or f"kept.{holder}")


@cache
def _of(base: type[_Answer], holder: str) -> type[_Answer]:
    name = f"{holder.capitalize()}{base.__name__}"
    declared = {"type": f"kept.{holder}.answer.{base.verb}.v1", "topic": ANSWERS}
    made = new_class(name, (base,), declared, lambda body: body.update(__module__=base.__module__, __doc__=base.__doc__))
    return cast("type[_Answer]", made)


@cache
def _shredded(holder: str, topic: str) -> type[SubjectShredded]:
    declared = REGISTRY.get(f"kept.{holder}.subject.shredded.v1")
    if declared is not None:  # by the holder's own events.py, with the same fields
        return cast("type[SubjectShredded]", declared)

    class Shredded(SubjectShredded, type=f"kept.{holder}.subject.shredded.v1", topic=topic):
        def key(self) -> str:
            return self.subject or self.request_id

    return Shredded


@dataclass(frozen=True)
class Found:
    """A subject that a holder knows, with every locator that leads to them there."""

    subject: str
    locators: Sequence[str] = ()


class Category(BaseModel):
    """One kind of data about a subject, and what a person must be told about it (GDPR Art. 15(1))."""

    name: str
    purpose: str
    basis: str
    retention: str
    recipients: list[str] = Field(default_factory=list)
    records: list[dict[str, Any]] = Field(default_factory=list)


class Collection(BaseModel):
    """One part of a holder's answer, before it is sealed."""

    holder: str
    categories: list[Category]


def erasure_text(
    *,
    holder: str,
    request_id: str,
    subject: str,
    approval_id: str,
    fields: int,
    key_version: int,
    kept: list[Kept],
    at: str,
) -> str:
    """The text of the note in `Erased`, made to be read by people and compared by programs."""
    lines = [
        "kept erasure v1",
        f"holder {holder}",
        f"request {request_id}",
        f"subject {subject}",
        f"approval {approval_id}",
        f"erased {fields} fields, key version {key_version}",
        *(
            f"kept {json.dumps(one.what, ensure_ascii=False)} because {json.dumps(one.reason, ensure_ascii=False)}"
            for one in kept
        ),
        f"at {at}",
    ]
    return "\n".join(lines) + "\n"


PART_BYTES_MAX = 360 * 1024  # of JSON: 480 kB in base64, under the bus's 512 kB with headers and age's own lines


@dataclass(frozen=True)
class Forgotten:
    """What a holder did: fields made unreadable, the destroyed key's version (0: there was none), what stays and
    why."""

    fields: int
    key_version: int
    kept: list[Kept] = field(default_factory=list)


def parts_of(holder: str, categories: Sequence[Category]) -> Iterator[Collection]:
    """Categories in parts that fit the bus; a category's records may go on in the next part."""
    current: list[Category] = []
    size = 0
    for category in categories:
        head = category.model_copy(update={"records": []})
        current.append(head.model_copy(update={"records": []}))
        for record in category.records:
            bytes_ = len(category.model_copy(update={"records": [record]}).model_dump_json().encode())
            if size and size + bytes_ > PART_BYTES_MAX:
                yield Collection(holder=holder, categories=current)
                current, size = [head.model_copy(update={"records": []})], 0
            current[-1].records.append(record)
            size += bytes_
    yield Collection(holder=holder, categories=current)
