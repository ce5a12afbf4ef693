"""Check a certificate with public keys alone; no server is asked. Raises, never returns a bool."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from services.dsar.certificates.model import Answer, Certificate, parse
from shared.errors import TamperError
from shared.holder.word import parse_erasure
from shared.notes.note import verify_note
from shared.notes.tlogproof import Proven, verify_receipt


@dataclass(frozen=True)
class Checked:
    """What the certificate proves."""

    certificate: Certificate
    proofs: tuple[Proven, ...]


def key_of(holder: str, vkeys: Sequence[str]) -> list[str]:
    """The keys whose name ends in this holder's: a customers key can't speak for audit."""
    found = [vkey for vkey in vkeys if vkey.split("+", 1)[0].rsplit("/", 1)[-1] == holder]
    if not found:
        raise TamperError(f"certificate: no public key of {holder} is known")
    return found


def log_keys(vkeys: Sequence[str]) -> list[str]:
    """Those of a log: `<place>/log` or below. A holder's own key must not sign a checkpoint."""
    return [vkey for vkey in vkeys if "log" in vkey.split("+", 1)[0].split("/")[1:2]]


def _says(entry: bytes, text: str) -> bool:
    """Whether `entry` carries `text` as a JSON string, escaped or not."""
    return any(json.dumps(text, ensure_ascii=flag)[1:-1].encode() in entry for flag in (False, True))


def evidence(receipt: str, event_id: str, note: str, log_vkeys: Sequence[str]) -> Proven:
    """The receipt's entry is in the log, and it is the event that carries this note."""
    found = verify_receipt(receipt, log_vkeys)
    if not _says(found.entry, event_id) or not _says(found.entry, note):
        raise TamperError("certificate: the receipt proves another event")
    return found


def verify_note_of(certificate: Certificate, answer: Answer, vkeys: Sequence[str]) -> None:
    """The holder's own word is signed by it, and says exactly what the certificate says it did."""
    said = parse_erasure(verify_note(answer.note, vkeys))
    kept = tuple((one.what, one.reason) for one in said.kept)
    if (said.holder, said.request_id, said.subject, said.approval_id, said.fields, kept) != (
        answer.holder,
        certificate.request,
        answer.subject,
        certificate.approval,
        answer.fields,
        tuple((one.what, one.reason) for one in answer.kept),
    ):
        raise TamperError(f"certificate: the note of {answer.holder} says something else")


def _answers_cover(certificate: Certificate) -> bool:
    """Every holder answered for each record; for one that a holder alone knew, it did, and nobody for any other."""
    holders = {one.holder for one in certificate.answers}
    answered = sorted((one.subject, one.holder) for one in certificate.answers)
    by_all = {(one.subject, holder) for one in certificate.covered if one.by != "holder" for holder in holders}
    by_some = {(one.subject, one.holder) for one in certificate.answers if one.subject in _known_alone(certificate)}
    return answered == sorted(by_all | by_some) and {subject for subject, _ in by_some} == _known_alone(certificate)


def _known_alone(certificate: Certificate) -> set[str]:
    return {one.subject for one in certificate.covered if one.by == "holder"}


def verify(text: str, vkeys: Sequence[str], log_vkeys: Sequence[str]) -> Checked:
    """Prove a certificate.

    1. it is signed by dsar; 2. it is well formed, has an answer of at least one holder, and (since version 2) every record
    that it covers has an answer of every holder (or of those that alone knew it), and no other record has one; then for
    each answer: 3. the holder's note is signed by that holder and says what the certificate says: request, subject,
    approval, fields, what is kept; 4. the receipt's entry is in the log, and is an event that carries this note: dsar's,
    that it verified it (in certificates of before: the holder's own).
    """
    certificate = parse(verify_note(text, key_of("dsar", vkeys)))  # 1, 2
    if not certificate.answers:
        raise TamperError("certificate: no holder answered")
    if certificate.version > 1 and not _answers_cover(certificate):
        raise TamperError("certificate: what it covers is not what the holders answered")
    proofs = []
    for answer in certificate.answers:
        verify_note_of(certificate, answer, key_of(answer.holder, vkeys))  # 3
        proofs.append(evidence(answer.receipt, answer.event_id, answer.note, log_vkeys))  # 4
    return Checked(certificate, tuple(proofs))
