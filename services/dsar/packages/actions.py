"""Hand over what is held: opened from the sealed answers, in memory, for the person who proved the address."""

import base64
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from services.dsar.events import PackageDelivered
from services.dsar.packages import seal
from services.dsar.packages.model import HolderAnswer, files_of, join, read_part, zipped
from services.dsar.packages.render import page
from services.dsar.requests.actions import move
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest, Part
from shared.clock import rfc3339
from shared.errors import ConflictError, InvariantError, MalformedError, TamperError
from shared.work import Work

log = logging.getLogger("kept.dsar.packages")


async def private_key_of(w: Work, request: DataRequest) -> str:
    """What opens the answers to this request, while it is open."""
    if request.private_key is None:
        raise InvariantError("an open request has its private key")
    await w.unlock(request.id)
    return w.open(DataRequest.private_key, request.id, request.private_key)


def opened(sealed: str, holder: str, private_key: str) -> HolderAnswer:
    """One part, as it came. TamperError: it is not sealed to this request; MalformedError: it is not what the contract says."""
    try:
        raw = base64.b64decode(sealed, validate=True)
    except ValueError as error:
        raise MalformedError("a holder's answer is not base64") from error
    return read_part(seal.open_answer(raw, private_key), holder)


def read(sealed: Iterable[tuple[str, str]], private_key: str) -> tuple[list[HolderAnswer], set[str]]:
    """From parts with their holders: every whole answer, opened and joined; and the holders of whose answer a part cannot be
    read (the saga takes none such: older software did, or somebody changed our table). The others' data is the person's all the
    same."""
    found: dict[str, list[HolderAnswer]] = {}
    unreadable: set[str] = set()
    for holder, part in sealed:
        try:
            found.setdefault(holder, []).append(opened(part, holder, private_key))
        except (TamperError, MalformedError):
            unreadable.add(holder)
    return [join(parts) for holder, parts in found.items() if holder not in unreadable], unreadable


def summary_of(
    request: DataRequest, controller: str, contact: str, law: str, missing: Sequence[str], coverage: Sequence[str]
) -> dict[str, Any]:
    """`coverage`: the same for people; `covered` and `left_out`: for programs."""
    return {
        "request": request.id,
        "right": request.right,
        "received": rfc3339(request.received_at),
        "law": law,
        "article": request.article,
        "due": rfc3339(request.due_at),
        "controller": controller,
        "contact": contact,
        "outcome": request.outcome,
        "missing": list(missing),
        "covered": sorted(request.subjects),
        "left_out": max(request.left_out, len(request.others)),
        "coverage": list(coverage),
    }


@dataclass(frozen=True)
class Contents:
    """What a package is made of; the answers still sealed. Nothing of it needs a database any more."""

    language: str
    summary: Mapping[str, Any]
    sealed: Sequence[tuple[str, str]] = field(repr=False)
    private_key: str = field(repr=False)
    silent: Sequence[str]


def packed(contents: Contents) -> tuple[bytes, list[str], set[str]]:
    """The zip, whose answers are in it, and whose cannot be read. Takes seconds of a processor where there is much: for a
    thread, so that the service goes on answering."""
    answers, unreadable = read(contents.sealed, contents.private_key)
    said = sorted(answer.holder for answer in answers)
    summary = {**contents.summary, "missing": sorted({*contents.summary["missing"], *unreadable})}
    answers += [HolderAnswer(holder=holder) for holder in sorted({*contents.silent, *unreadable} - set(said))]
    answers.sort(key=lambda one: one.holder)
    return zipped(files_of(summary, answers, page(contents.language, summary, answers))), said, unreadable


@dataclass(frozen=True)
class Made:
    """A package as it leaves: whose answers are in it, and whose could not be read."""

    content: bytes
    holders: list[str]
    unreadable: frozenset[str]
    locked: bool


def has_package(request: DataRequest) -> bool:
    """Whether there is a package for it now."""
    return request.right == "access" and request.state in (State.ANSWERED, State.DELIVERED)


async def gather(w: Work, request: DataRequest, summary: Mapping[str, Any], silent: Sequence[str]) -> Contents:
    """All that a package needs. ConflictError where there is none for this request now."""
    if not has_package(request):
        raise ConflictError("there is no package for this request now")
    query = select(Part.holder, Part.sealed).where(Part.request_id == request.id)
    found = (await w.session.execute(query.order_by(Part.holder, Part.subject, Part.part))).all()
    sealed = [(holder, part) for holder, part in found]
    private_key = await private_key_of(w, request) if sealed else ""
    return Contents(request.language, summary, sealed, private_key, silent)


def delivered(w: Work, request: DataRequest, made: Made) -> str:
    """The package goes to its person: the file's name. A download is an event: a reading of personal data by the person."""
    for holder in sorted(made.unreadable):
        log.error("what %s answered to %s cannot be read: the package names it as missing", holder, request.id)
    if request.state == State.ANSWERED:
        move(request, State.DELIVERED)
    subject = request.subjects[0] if len(request.subjects) == 1 else None
    w.publish(
        PackageDelivered(
            request_id=request.id,
            subject=subject,
            holders=made.holders,
            encrypted=made.locked,
            subjects=sorted(request.subjects),
        )
    )
    return f"kept-{request.id}.zip" + (".age" if made.locked else "")
