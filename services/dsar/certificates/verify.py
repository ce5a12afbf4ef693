"""Check a certificate with public keys alone; no server is asked. Raises, never returns a bool."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from services.dsar.certificates.model import Answer, Certificate, parse
from shared.errors import TamperError
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


def _verify_answer(certificate: Certificate, answer: Answer, vkeys: Sequence[str], log_vkeys: Sequence[str]) -> Proven:
    said = verify_note(answer.note, key_of(answer.holder, vkeys))  # 3
    lines = said.split("\n")
    expected = (
        f"holder {answer.holder}",
        f"request {certificate.request}",
        f"subject {answer.subject}",
        f"approval {certificate.approval}",
    )
    if any(line not in lines for line in expected) or not any(
        line.startswith(f"erased {answer.fields} fields,") for line in lines
    ):
        raise TamperError(f"certificate: the note of {answer.holder} says something else")
    proven = verify_receipt(answer.receipt, log_vkeys)  # 4
    if not _says(proven.entry, answer.event_id) or not _says(proven.entry, answer.note):  # 5
        raise TamperError(f"certificate: the receipt of {answer.holder} proves another event")
    return proven


def _answers_cover(certificate: Certificate) -> bool:
    holders = {one.holder for one in certificate.answers}
    answered = sorted((one.subject, one.holder) for one in certificate.answers)
    return answered == sorted((one.subject, holder) for one in certificate.covered for holder in holders)


def verify(text: str, vkeys: Sequence[str], log_vkeys: Sequence[str]) -> Checked:
    """Prove a certificate.

    1. it is signed by dsar; 2. it is well formed, has an answer of at least one holder, and (since version 2) every record
    that it covers has an answer of every holder, and no other record has one; then for each answer:
    3. the holder's note is signed by that holder and names this request and subject; 4. the receipt's entry is in
    the log;
    5. that entry is the event that carried this note.
    """
    certificate = parse(verify_note(text, key_of("dsar", vkeys)))  # 1, 2
    if not certificate.answers:
        raise TamperError("certificate: no holder answered")
    if certificate.version > 1 and not _answers_cover(certificate):
        raise TamperError("certificate: what it covers is not what the holders answered")
    proofs = tuple(_verify_answer(certificate, answer, vkeys, log_vkeys) for answer in certificate.answers)
    return Checked(certificate, proofs)
