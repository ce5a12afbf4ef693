"""The text of a certificate of erasure: what happened in plain lines, then the evidence. Pure.

    kept certificate of erasure v2
    request req_…
    law eu-gdpr 17, 12(3)
    received 2026-11-24T05:00:00.000000Z
    approved apr_… sub_… sub_…
    issued 2026-11-24T06:00:00.000000Z
    covers 1 records
    covered sub_… number
    not covered 1 records with the same address, counted 2026-11-24T06:00:00.000000Z
    erased sub_… customers 11
    kept sub_… audit "…" "…"
    remains "backups taken before" "…"
    evidence <base64 of canonical JSON>

The evidence repeats all of it and adds, per holder and subject, the holder's signed note, the id of the event that
carries the note (dsar's, that it verified it) and the log's receipt for that event. The plain lines are made from the evidence:
`render(parse(text)) == text`. Version 1, which said nothing of what is covered, is still read.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import MalformedError

FIRST_LINE = "kept certificate of erasure v"
SINCE_2 = ("version", "covered", "left_out", "counted", "remains")  # version 1's evidence has none of these
CERTIFICATE_BYTES_MAX = 8 * 1024 * 1024  # a dozen holders with 64 kB entries


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kept(_Value):
    """What a holder may not erase, and why."""

    what: str
    reason: str


class Answer(_Value):
    """One holder's answer about one subject, with its proof."""

    holder: str
    subject: str
    fields: int
    kept: tuple[Kept, ...]
    event_id: str
    note: str
    receipt: str


class Covered(_Value):
    """A record that was erased, and how it was known to be the person's: the address leads to it alone, the person gave a
    number that stands on it alone, or two people at the desk decided on evidence. `holder`: no owner of records names it, and
    it was erased by the holder that alone did."""

    subject: str
    by: Literal["address", "number", "desk", "holder"]


class Certificate(_Value):
    """`covered` is all that it says is erased; `left_out` other records had the same address when they were `counted`."""

    version: Literal[1, 2] = 2
    request: str
    law: str
    article: str
    received: str
    approval: str
    approvers: tuple[str, ...]
    issued: str
    covered: tuple[Covered, ...] = ()
    left_out: int = Field(default=0, ge=0)
    counted: str = ""
    remains: tuple[Kept, ...] = ()
    answers: tuple[Answer, ...]

    @model_validator(mode="after")
    def _says_its_own(self) -> "Certificate":
        if self.version == 1 and self.model_fields_set & set(SINCE_2) - {"version"}:
            raise ValueError("version 1 says nothing of what is covered")
        return self

    def evidence(self) -> dict[str, Any]:
        """All of it as it is written down, in its own version."""
        return self.model_dump(exclude=set(SINCE_2) if self.version == 1 else None)


# What no holder's answer reaches, so that nobody reads more into a certificate than it says.
REMAINS = (
    Kept(
        what="backups taken before",
        reason="encrypted; a restore erases these records again before anything else",
    ),
    Kept(
        what="copies that recipients outside received before", reason="an answer to an access request names who received data"
    ),
)


def _line(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def render(certificate: Certificate) -> str:
    """The text that is signed. Answers stand in the order of subject and holder."""
    lines = [
        f"{FIRST_LINE}{certificate.version}",
        f"request {certificate.request}",
        f"law {certificate.law} {certificate.article}",
        f"received {certificate.received}",
        f"approved {certificate.approval} {' '.join(certificate.approvers)}",
        f"issued {certificate.issued}",
    ]
    if certificate.version > 1:
        lines.append(f"covers {len(certificate.covered)} records")
        lines += [f"covered {one.subject} {one.by}" for one in certificate.covered]
        lines.append(f"not covered {certificate.left_out} records with the same address, counted {certificate.counted}")
    for one in certificate.answers:
        lines.append(f"erased {one.subject} {one.holder} {one.fields}")
        lines += [f"kept {one.subject} {one.holder} {_line(k.what)} {_line(k.reason)}" for k in one.kept]
    lines += [f"remains {_line(one.what)} {_line(one.reason)}" for one in certificate.remains]
    evidence = json.dumps(certificate.evidence(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    lines.append("evidence " + base64.b64encode(evidence.encode()).decode())
    return "\n".join(lines) + "\n"


def ordered(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    return tuple(sorted(answers, key=lambda one: (one.subject, one.holder)))


def parse(text: str) -> Certificate:
    """Read a certificate's text. Raises MalformedError for anything but the one accepted encoding."""
    if len(text) > CERTIFICATE_BYTES_MAX:
        raise MalformedError("certificate: too large")
    first = text.partition("\n")[0]
    version = {f"{FIRST_LINE}1": 1, f"{FIRST_LINE}2": 2}.get(first)
    if version is None:
        raise MalformedError("certificate: not a kept certificate of erasure, version 1 or 2")
    last = text.rstrip("\n").rsplit("\n", 1)[-1]
    if not last.startswith("evidence "):
        raise MalformedError("certificate: no evidence")
    try:
        raw = json.loads(base64.b64decode(last.removeprefix("evidence "), validate=True))
        certificate = Certificate.model_validate({"version": 1, **raw})
    except (binascii.Error, ValidationError, ValueError, TypeError) as error:
        raise MalformedError("certificate: the evidence can't be read") from error
    if certificate.version != version or render(certificate) != text:
        raise MalformedError("certificate: the plain lines and the evidence differ")
    return certificate
