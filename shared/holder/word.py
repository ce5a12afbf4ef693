"""What a holder signs: the text of an answer's note. Pure; one place builds it, and `proven` is the one place that judges it.

    kept answer v2                            kept answer v2                    kept erasure v1
    holder customers                          holder billing                    holder billing
    request req_…                             request req_…                     request req_…
    located 2                                 collected part 1 of 3             subject sub_…
    subject sub_… loc_… loc_…                 subject sub_…                     approval apr_…
    subject sub_… loc_…                       sha256 <hex, of the age file>     erased 11 fields, key version 1
                                                                                kept "…" because "…"
                                                                                at 2026-11-24T06:00:00.000000Z

An answer has exactly one text and says nothing that does not stand in it, so a note fits no other request, person, part or
content. The erasure's is made to be read by people too: a certificate carries it. `render(parse(text)) == text`.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.errors import MalformedError, TamperError
from shared.holder.contract import Answer, Collected, Erased, Kept, Located
from shared.notes.note import verify_note

_TOKEN = r"[!-~]*"  # noqa: S105 - of a line
_ERASURE = re.compile(
    rf"kept erasure v1\nholder (?P<holder>{_TOKEN})\nrequest (?P<request_id>{_TOKEN})\nsubject (?P<subject>{_TOKEN})\n"
    rf"approval (?P<approval_id>{_TOKEN})\n"
    r"erased (?P<fields>0|[1-9][0-9]{0,9}) fields, key version (?P<key_version>0|[1-9][0-9]{0,9})\n"
    rf'(?P<kept>(?:kept ".*" because ".*"\n)*)at (?P<at>{_TOKEN})\n'
)


@dataclass(frozen=True)
class Erasure:
    """What the note of an erasure says."""

    holder: str
    request_id: str
    subject: str
    approval_id: str
    fields: int
    key_version: int
    at: str
    kept: Sequence[Kept] = field(default=())


def render_erasure(said: Erasure) -> str:
    """The one text of an erasure, as the example above shows it; every line ends in a newline."""
    lines = [
        "kept erasure v1",
        f"holder {said.holder}",
        f"request {said.request_id}",
        f"subject {said.subject}",
        f"approval {said.approval_id}",
        f"erased {said.fields} fields, key version {said.key_version}",
        *(f"kept {_quoted(one.what)} because {_quoted(one.reason)}" for one in said.kept),
        f"at {said.at}",
    ]
    return "\n".join(lines) + "\n"


def parse_erasure(text: str) -> Erasure:
    """The one erasure that has this text. MalformedError."""
    found = _ERASURE.fullmatch(text)
    if found is None:
        raise MalformedError("not the word of an erasure")
    said = Erasure(
        holder=found["holder"],
        request_id=found["request_id"],
        subject=found["subject"],
        approval_id=found["approval_id"],
        fields=int(found["fields"]),
        key_version=int(found["key_version"]),
        at=found["at"],
        kept=tuple(_kept(line) for line in found["kept"].split("\n")[:-1]),
    )
    if render_erasure(said) != text:
        raise MalformedError("not the one spelling of an erasure")
    return said


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _kept(line: str) -> Kept:
    decoder, rest = json.JSONDecoder(), line.removeprefix("kept ")
    try:
        what, end = decoder.raw_decode(rest)
        reason, last = decoder.raw_decode(rest, end + len(" because "))
    except (ValueError, RecursionError):
        raise MalformedError("not the word of an erasure") from None
    if not isinstance(what, str) or not isinstance(reason, str) or last != len(rest):
        raise MalformedError("not the word of an erasure")
    return Kept(what=what, reason=reason)


def erasure_of(answer: Erased) -> Erasure:
    """What the note of `answer`, which is about exactly one subject, must say."""
    (subject,) = answer.subjects
    return Erasure(
        holder=answer.holder,
        request_id=answer.request_id,
        subject=subject,
        approval_id=answer.approval_id,
        fields=answer.fields,
        key_version=answer.key_version,
        at=answer.at,
        kept=tuple(answer.kept),
    )


def text_of(answer: Answer) -> str:
    """The text of the note under `answer`. MalformedError where it can't have one."""
    if isinstance(answer, Erased):
        return render_erasure(erasure_of(answer))
    lines = ["kept answer v2", f"holder {answer.holder}", f"request {answer.request_id}"]
    if isinstance(answer, Located):
        lines.append(f"located {len(answer.subjects)}")
        lines += [" ".join(["subject", one, *answer.found[one]]) for one in answer.subjects]
    elif isinstance(answer, Collected):
        lines += [f"collected part {answer.part} of {answer.parts}", f"subject {answer.subjects[0]}"]
        lines.append(f"sha256 {hashlib.sha256(_decoded(answer.sealed)).hexdigest()}")
    else:
        raise MalformedError("no such answer")
    return "\n".join(lines) + "\n"


def _decoded(sealed: str) -> bytes:
    try:
        raw = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("a holder's answer is not base64") from None
    if base64.b64encode(raw).decode() != sealed:
        raise MalformedError("a holder's answer is sloppy base64")
    return raw


def proven(answer: Answer, holder: str, vkeys: Sequence[str]) -> None:
    """Raises unless `answer` is `holder`'s own word: 1. it speaks for `holder` and nobody else; 2. its note is signed by one of
    `vkeys`, which are that holder's and nobody else's; 3. the note says what the answer says, all of it."""
    if answer.holder != holder:  # 1
        raise TamperError("the answer speaks for another holder")
    said = verify_note(answer.note, vkeys)  # 2
    if said != text_of(answer):  # 3
        raise TamperError("the note says something else than the answer")
