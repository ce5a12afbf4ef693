"""A certificate is checked with public keys alone; each thing that could be forged is forged once."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from services.dsar.certificates.model import Answer, Certificate, Covered, ordered, render
from services.dsar.certificates.verify import verify
from shared.errors import KeptError, MalformedError, TamperError
from shared.holder.contract import Kept
from shared.holder.word import Erasure, render_erasure
from shared.notes.note import LocalSigner, sign_note, vkey
from shared.notes.tlogproof import Receipt, format_receipt, leaf_hash

SUB, REQ, APR = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f", "req_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f", "apr_1"
SIGNERS = {
    name: LocalSigner(f"kept.local/{name}", hashlib.sha256(name.encode()).digest()) for name in ("dsar", "customers", "audit")
}
LOG = LocalSigner("kept.local/log", hashlib.sha256(b"log").digest())
KEYS = [vkey(one.name, one.public) for one in SIGNERS.values()]
LOG_KEYS = [vkey(LOG.name, LOG.public)]
Change = Callable[[Answer], Answer]


async def note(
    holder: str,
    *,
    signed_by: str = "",
    request: str = REQ,
    subject: str = SUB,
    fields: int = 3,
    approval: str = APR,
    kept: str = "",
) -> str:
    said = Erasure(
        holder=holder,
        request_id=request,
        subject=subject,
        approval_id=approval,
        fields=fields,
        key_version=1,
        kept=[Kept(what=kept, reason="tax")] if kept else [],
        at="2026-11-24T06:00:00Z",
    )
    return await sign_note(render_erasure(said), SIGNERS[signed_by or holder])


async def receipt(event_id: str, word: str, shard: str = "kept.dsar/0") -> str:
    entry = b"KEPT" + event_id.encode() + json.dumps({"note": word}, ensure_ascii=False).encode()
    checkpoint = f"kept.local/log/{shard}\n1\n{base64.b64encode(leaf_hash(entry)).decode()}\n"
    return format_receipt(Receipt(0, (), await sign_note(checkpoint, LOG), entry))


async def answer(holder: str, **said: str | int) -> Answer:
    word = await note(holder, **said)  # type: ignore[arg-type]  # test data
    event_id = f"event-of-{holder}"
    return Answer(
        holder=holder,
        subject=SUB,
        fields=3,
        kept=(),
        event_id=event_id,
        note=word,
        receipt=await receipt(event_id, word),
    )


async def certificate(
    answers: list[Answer], signed_by: str = "dsar", *, covers: tuple[str, ...] = (SUB,), version: int = 2
) -> str:
    said: dict[str, Any] = {"covered": tuple(Covered(subject=one, by="address") for one in covers), "counted": "now"}
    text = render(
        Certificate(
            **({"version": 1} if version == 1 else said),
            request=REQ,
            law="eu-gdpr",
            article="17",
            received="2026-11-24T05:00:00Z",
            approval=APR,
            approvers=("sub_a", "sub_b"),
            issued="2026-11-24T06:00:00Z",
            answers=ordered(answers),
        )
    )
    return await sign_note(text, SIGNERS[signed_by])


async def test_a_true_certificate_is_proven() -> None:
    checked = verify(await certificate([await answer("customers"), await answer("audit")]), KEYS, LOG_KEYS)
    assert [one.holder for one in checked.certificate.answers] == ["audit", "customers"]
    assert all(proof.origin.startswith("kept.local/log/") for proof in checked.proofs)


async def test_a_certificate_of_version_1_is_still_proven() -> None:
    checked = verify(await certificate([await answer("customers")], version=1), KEYS, LOG_KEYS)
    assert checked.certificate.version == 1 and checked.certificate.covered == ()


async def test_it_covers_what_was_answered_and_nothing_else() -> None:
    other = "sub_" + "0" * 32
    both = [await answer("customers"), await answer("audit")]
    half = (await answer("audit", subject=other)).model_copy(update={"subject": other})
    for answers, covers in ((both, ()), (both, (SUB, other)), (both, (other,)), ([*both, half], (SUB, other))):
        with pytest.raises(TamperError, match="covers"):
            verify(await certificate(answers, covers=covers), KEYS, LOG_KEYS)


@pytest.mark.parametrize(
    "said",
    [
        {"request": "req_of_somebody_else"},
        {"subject": "sub_of_somebody_else"},
        {"fields": 30},
        {"approval": "apr_2"},
        {"kept": "everything"},
        {"signed_by": "audit"},
        {"signed_by": "dsar"},
    ],
)
async def test_a_note_about_something_else_or_by_somebody_else(said: dict[str, str | int]) -> None:
    with pytest.raises(TamperError):
        verify(await certificate([await answer("customers", **said)]), KEYS, LOG_KEYS)


async def test_a_certificate_of_before_whose_receipts_are_of_the_answers_themselves() -> None:
    old = await answer("customers")
    old = old.model_copy(update={"receipt": await receipt(old.event_id, old.note, "kept.dsar.answers/0")})
    assert verify(await certificate([old]), KEYS, LOG_KEYS).proofs[0].origin.endswith("kept.dsar.answers/0")


async def test_a_receipt_of_another_event() -> None:
    good = await answer("customers")
    for bad in (
        good.model_copy(update={"event_id": "another-event"}),
        good.model_copy(update={"receipt": await receipt(good.event_id, await note("audit"))}),
        good.model_copy(update={"receipt": (await answer("audit")).receipt}),
    ):
        with pytest.raises(TamperError):
            verify(await certificate([bad]), KEYS, LOG_KEYS)


async def test_a_log_that_we_do_not_know_and_a_signer_that_may_not() -> None:
    text = await certificate([await answer("customers")])
    with pytest.raises(KeptError):
        verify(text, KEYS, KEYS)
    with pytest.raises(TamperError):
        verify(await certificate([await answer("customers")], signed_by="audit"), KEYS, LOG_KEYS)
    with pytest.raises(TamperError):
        verify(await certificate([]), KEYS, LOG_KEYS)


async def test_each_flipped_byte_is_found() -> None:
    text = (await certificate([await answer("customers")])).encode()
    for place in range(0, len(text), 17):
        bad = bytearray(text)
        bad[place] ^= 1
        with pytest.raises((TamperError, MalformedError, UnicodeDecodeError)):
            verify(bad.decode(), KEYS, LOG_KEYS)
