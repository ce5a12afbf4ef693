"""The text of a certificate of erasure: what happened in plain lines, then the evidence. Pure.

    kept certificate of erasure v1
    request req_…
    law eu-gdpr 17, 12(3)
    received 2026-11-24T05:00:00.000000Z
    approved apr_… sub_… sub_…
    issued 2026-11-24T06:00:00.000000Z
    erased sub_… customers 11
    kept sub_… audit "…" "…"
    evidence <base64 of canonical JSON>

The evidence repeats all of it and adds, per holder and subject, the holder's signed note, the id of the event that
carried the
note and the log's receipt for that event. The plain lines are made from the evidence: `render(parse(text)) == text`.
"""

import base64
import binascii
import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import MalformedError

FIRST_LINE = "kept certificate of erasure v1"
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


class Certificate(_Value):
    request: str
    law: str
    article: str
    received: str
    approval: str
    approvers: tuple[str, ...]
    issued: str
    answers: tuple[Answer, ...]


def _line(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def render(certificate: Certificate) -> str:
    """The text that is signed. Answers stand in the order of subject and holder."""
    lines = [
        FIRST_LINE,
        f"request {certificate.request}",
        f"law {certificate.law} {certificate.article}",
        f"received {certificate.received}",
        f"approved {certificate.approval} {' '.join(certificate.approvers)}",
        f"issued {certificate.issued}",
    ]
    for one in certificate.answers:
        lines.append(f"erased {one.subject} {one.holder} {one.fields}")
        lines += [f"kept {one.subject} {one.holder} {_line(k.what)} {_line(k.reason)}" for k in one.kept]
    evidence = json.dumps(certificate.model_dump(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    lines.append("evidence " + base64.b64encode(evidence.encode()).decode())
    return "\n".join(lines) + "\n"


def ordered(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    return tuple(sorted(answers, key=lambda one: (one.subject, one.holder)))


def parse(text: str) -> Certificate:
    """Read a certificate's text. Raises MalformedError for anything but the one accepted encoding."""
    if len(text) > CERTIFICATE_BYTES_MAX:
        raise MalformedError("certificate: too large")
    if not text.startswith(FIRST_LINE + "\n"):
        raise MalformedError("certificate: not a kept certificate of erasure v1")
    last = text.rstrip("\n").rsplit("\n", 1)[-1]
    if not last.startswith("evidence "):
        raise MalformedError("certificate: no evidence")
    try:
        raw = base64.b64decode(last.removeprefix("evidence "), validate=True)
        certificate = Certificate.model_validate_json(raw)
    except (binascii.Error, ValidationError, ValueError) as error:
        raise MalformedError("certificate: the evidence can't be read") from error
    if render(certificate) != text:
        raise MalformedError("certificate: the plain lines and the evidence differ")
    return certificate
