"""What dsar asks holders, and what they answer (DESIGN.md section 4 and 5). All holders share these types.

Commands travel on `kept.dsar.commands`. Each holder answers on a topic of its own, `kept.dsar.answers.<holder>`, which
nobody else may write, with types of its own, `kept.<holder>.answer.<verb>.v2`, made by `Located.of("customers")`. All are
keyed by the request, so that one request's records stay in order.

An answer counts only with the holder's signed note over all that it says (shared/holder/word.py); it names people in its body
and never as `ce_subject`, so that the log seals another team's answer under no person's key. What holders wrote before
(`kept.dsar.answers`, version 1) is in shared/holder/past.py: it can be read, and counts for nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import new_class
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.bus.event import REGISTRY, Event
from shared.errors import MalformedError

COMMANDS = "kept.dsar.commands"
PEOPLE_MAX = 1_000  # who share one address; a company's switchboard is the largest
LOCATORS_MAX = 100  # of one person
_HOLDER = re.compile(r"[a-z]{2,32}")

# What stands in a line of a note: no blanks, no line breaks, so that every line can be read in one way only.
Token = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]
Pseudonym = Annotated[str, Field(pattern=r"^sub_[0-9a-f]{32}$")]


def answers_topic(holder: str) -> str:
    """Where `holder`, and nobody else, answers."""
    if _HOLDER.fullmatch(holder) is None:
        raise MalformedError("a holder's name is 2 to 32 lower-case letters")
    return f"kept.dsar.answers.{holder}"


class OfRequest(Event):
    request_id: str

    def key(self) -> str:
        return self.request_id


class Locate(OfRequest, type="kept.dsar.command.locate.v1", topic=COMMANDS):
    """To every holder: whom do these locators belong to?"""

    locators: list[str]
    reply_by: str


class Collect(OfRequest, type="kept.dsar.command.collect.v2", topic=COMMANDS):
    """To `holders` alone: say everything about the subject, sealed to `recipient` (age)."""

    holders: list[str]
    recipient: str
    reply_by: str


class Erase(OfRequest, type="kept.dsar.command.erase.v2", topic=COMMANDS):
    """To `holders` alone: forget the subject; two people approved (`approval_id`)."""

    holders: list[str]
    approval_id: str


class Attest(OfRequest, type="kept.dsar.command.attest.v1", topic=COMMANDS):
    """To audit alone: receipts for these events."""

    event_ids: list[str]


class Answer(Event):
    """One holder's answer: of the request, by the holder, signed."""

    verb: ClassVar[str] = ""

    request_id: Token
    holder: Token
    note: str = Field(description="the holder's signed note over everything else here (shared/holder/word.py)")

    def key(self) -> str:
        return self.request_id

    @classmethod
    def of(cls, holder: str) -> type[Self]:
        """The answer type of one holder."""
        return cast("type[Self]", _of(cls, holder))


class Located(Answer):
    """Every record here that what was asked for leads to, in order, each with all locators that lead there: it may be several
    people's, and one person's several records. Nobody is known by it here: none."""

    verb = "located"

    subjects: list[Pseudonym] = Field(max_length=PEOPLE_MAX)
    found: dict[Pseudonym, Annotated[list[Token], Field(max_length=LOCATORS_MAX)]]

    @model_validator(mode="after")
    def _one_spelling(self) -> Self:
        if sorted(self.found) != self.subjects or any(sorted(set(one)) != one for one in self.found.values()):
            raise ValueError("records stand once and in order, each with its locators")
        return self


class Collected(Answer):
    """Part `part` of `parts` (from 1) about the one subject: base64 of an age file of `Collection` as JSON. dsar takes at most
    256 parts and 32 MiB of one holder for one request; more is an alarm, and counts as no answer."""

    verb = "collected"

    subjects: list[Pseudonym] = Field(min_length=1, max_length=1)
    part: int = Field(ge=1)
    parts: int = Field(ge=1, le=10_000)
    sealed: str


class Kept(BaseModel):
    """What may not be erased, and why (an article): each one line of visible characters, at most 300, in at most 50 lines and
    24 kB of one holder about one person (shared/holder/bounds.py). Else the answer is an alarm, and counts for nothing."""

    model_config = ConfigDict(frozen=True)

    what: str
    reason: str


class Erased(Answer):
    """The one subject is forgotten. `key_version`: of the key that was destroyed, 0 where there was none."""

    verb = "erased"

    subjects: list[Pseudonym] = Field(min_length=1, max_length=1)
    approval_id: Token
    fields: int = Field(ge=0, lt=10**9)
    key_version: int = Field(ge=0, lt=10**9)
    kept: list[Kept]
    at: Token


class Attested(OfRequest, type="kept.audit.answer.attested.v2", topic=answers_topic("audit")):
    """A receipt (shared/notes/tlogproof.py) per event id. Each is proven by the log's own key, so there is no note."""

    receipts: dict[str, str]


class SubjectShredded(OfRequest):
    """The holder destroyed the subject's key. `of` ours: type `kept.<holder>.subject.shredded.v1`, on its own topic."""

    key_version: int

    @classmethod
    def of(cls, holder: str, topic: str = "") -> type["SubjectShredded"]:
        return _shredded(holder, topic or f"kept.{holder}")


class ForeignShredded(OfRequest):
    """The same of another team's holder, on that team's topic (version 2): the subject stands in the body alone. As
    `ce_subject` it would have the log seal the record under that person's key, which is destroyed by then."""

    subjects: list[Pseudonym] = Field(min_length=1, max_length=1)
    key_version: int

    def key(self) -> str:
        return self.subjects[0]

    @classmethod
    def of(cls, holder: str, topic: str) -> type["ForeignShredded"]:
        return _foreign_shredded(holder, topic)


@cache
def _of(base: type[Answer], holder: str) -> type[Answer]:
    name = f"{holder.capitalize()}{base.__name__}"
    declared = {"type": f"kept.{holder}.answer.{base.verb}.v2", "topic": answers_topic(holder)}
    made = new_class(name, (base,), declared, lambda body: body.update(__module__=base.__module__, __doc__=base.__doc__))
    return cast("type[Answer]", made)


@cache
def _shredded(holder: str, topic: str) -> type[SubjectShredded]:
    declared = REGISTRY.get(f"kept.{holder}.subject.shredded.v1")
    if declared is not None:  # by the holder's own events.py, with the same fields
        return cast("type[SubjectShredded]", declared)

    class Shredded(SubjectShredded, type=f"kept.{holder}.subject.shredded.v1", topic=topic):
        def key(self) -> str:
            return self.subject or self.request_id

    return Shredded


@cache
def _foreign_shredded(holder: str, topic: str) -> type[ForeignShredded]:
    class Shredded(ForeignShredded, type=f"kept.{holder}.subject.shredded.v2", topic=topic):
        pass

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
