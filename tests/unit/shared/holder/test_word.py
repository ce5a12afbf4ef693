"""What a holder signs: one text per answer, one answer per text, and every forgery refused once."""

import base64
import contextlib
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.access.actor import Actor
from shared.bus.envelope import to_record
from shared.clock import SystemClock
from shared.errors import KeptError, MalformedError, TamperError
from shared.holder.answers import collected, erased, located, signed
from shared.holder.contract import Answer, Category, Collect, Collected, Erase, Erased, Forgotten, Found, Kept, Locate, Located
from shared.holder.word import Erasure, erasure_of, parse_erasure, proven, render_erasure, text_of
from shared.notes.note import LocalSigner, sign_note, vkey
from shared.notes.note import verify_note as read

ONE, TWO, THREE = (f"sub_{n:032x}" for n in (1, 2, 3))
REQ, OTHER = (f"req_{n:032x}" for n in (1, 2))
BILLING, AUDIT = (LocalSigner(f"kept.local/{name}", hashlib.sha256(name.encode()).digest()) for name in ("billing", "audit"))
KEYS = {one.name.rpartition("/")[2]: [vkey(one.name, one.public)] for one in (BILLING, AUDIT)}
SEALED = base64.b64encode(b"an age file").decode()
tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
subjects = st.integers(0, 2**128 - 1).map("sub_{:032x}".format)
kepts = st.lists(st.builds(Kept, what=texts, reason=texts), max_size=3)
numbers = st.integers(0, 10**9 - 1)
erasures = st.builds(
    Erasure, holder=tokens, request_id=tokens, subject=subjects, approval_id=tokens, fields=numbers, key_version=numbers,
    at=tokens, kept=kepts.map(tuple),
)  # fmt: skip
people = st.dictionaries(subjects, st.lists(tokens, max_size=3), max_size=4)


def a_located(found: dict[str, list[str]], request: str = REQ, holder: str = "billing") -> Located:
    said = {one: sorted(set(found[one])) for one in sorted(found)}
    return Located.of("billing")(request_id=request, holder=holder, subjects=list(said), found=said, note="")


def a_collected(**other: object) -> Collected:
    said: dict[str, object] = {
        "request_id": REQ,
        "holder": "billing",
        "subjects": [ONE],
        "part": 1,
        "parts": 2,
        "sealed": SEALED,
    }
    return Collected.of("billing").model_validate(said | {"note": ""} | other)


def an_erased(**other: object) -> Erased:
    said: dict[str, object] = {
        "request_id": REQ, "holder": "billing", "subjects": [ONE], "approval_id": "apr_1", "fields": 3, "key_version": 1,
        "kept": [Kept(what="invoices", reason="tax")], "at": "2026-11-24T06:00:00Z", "note": "",
    }  # fmt: skip
    return Erased.of("billing").model_validate(said | other)


@given(erasures)
def test_an_erasure_has_one_text(said: Erasure) -> None:
    assert parse_erasure(render_erasure(said)) == said


@given(erasures, st.data())
def test_any_other_text_is_another_erasure_or_none(said: Erasure, data: st.DataObject) -> None:
    text = render_erasure(said)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from(["", " ", "\n", "0", "\\u0041", '"', "kept"])) + text[at + 1 :]
    with contextlib.suppress(MalformedError):
        assert changed == text or parse_erasure(changed) != said


@given(people, people)
def test_who_was_located_stands_in_the_text_and_nothing_else_does(one: dict[str, list[str]], two: dict[str, list[str]]) -> None:
    first, second = a_located(one), a_located(two)
    same = first.found == second.found
    assert (text_of(first) == text_of(second)) == same
    assert text_of(first).count("\nsubject ") == len(one), "no line can be slipped in"


@pytest.mark.parametrize("bad", ["a b", "a\nb", "", "ä", "\x00", "x" * 201])
def test_what_could_break_a_line_is_no_answer(bad: str) -> None:
    for make in (
        lambda: a_located({ONE: []}, request=bad),
        lambda: a_located({ONE: [bad], TWO: []}),
        lambda: a_located({bad: []}),
        lambda: a_collected(subjects=[bad]),
        lambda: an_erased(approval_id=bad),
        lambda: an_erased(at=bad),
    ):
        with pytest.raises(ValidationError):
            make()


def test_people_stand_once_and_in_order() -> None:
    made = Located.of("billing")
    for said, found in (
        ([TWO, ONE], {ONE: [], TWO: []}),
        ([ONE, ONE], {ONE: []}),
        ([ONE], {}),
        ([], {ONE: []}),
        ([ONE], {ONE: ["b", "a"]}),
    ):
        with pytest.raises(ValidationError):
            made(request_id=REQ, holder="billing", subjects=said, found=found, note="")


@pytest.mark.parametrize("sealed", ["", "x", SEALED + "=", SEALED.rstrip("=") + "\n"])
def test_a_part_is_hashed_as_bytes_in_their_one_spelling(sealed: str) -> None:
    if sealed == "":
        assert "sha256 " + hashlib.sha256(b"").hexdigest() in text_of(a_collected(sealed=""))
        return
    with pytest.raises(MalformedError):
        text_of(a_collected(sealed=sealed))


TRUE: list[Callable[[], Answer]] = [
    lambda: a_located({ONE: ["loc_1"], TWO: ["loc_2"]}),
    lambda: a_located({}),
    a_collected,
    an_erased,
]


@pytest.mark.parametrize("true", TRUE)
async def test_a_holders_own_word_is_proven_and_no_other_is(true: Callable[[], Answer]) -> None:
    (good,) = await signed([true()], BILLING)
    proven(good, "billing", KEYS["billing"])
    (by_audit,) = await signed([true()], AUDIT)
    as_audit = good.model_copy(update={"holder": "audit"})
    forged = {
        "no note": good.model_copy(update={"note": ""}),
        "a note that is none": good.model_copy(update={"note": good.note[:-3]}),
        "another's key": by_audit,
        "another request": good.model_copy(update={"request_id": OTHER}),
        "another holder": as_audit,
        "a note under another text": good.model_copy(update={"note": await sign_note("kept\n", BILLING)}),
    }
    for what, one in forged.items():
        with pytest.raises((TamperError, MalformedError)):
            proven(one, "billing", KEYS["billing"])
            pytest.fail(what)
    with pytest.raises(TamperError):
        proven(good, "audit", KEYS["billing"])
    with pytest.raises(TamperError):
        proven(good, "billing", [])


@pytest.mark.parametrize(
    "changed",
    [
        {"subjects": [TWO]},
        {"fields": 4},
        {"key_version": 2},
        {"approval_id": "apr_2"},
        {"at": "2026-11-24T06:00:01Z"},
        {"kept": []},
        {"kept": [Kept(what="invoices", reason="no reason")]},
        {"kept": [Kept(what="invoices", reason="tax"), Kept(what="more", reason="tax")]},
    ],
)
async def test_the_note_of_an_erasure_binds_all_it_says(changed: dict[str, object]) -> None:
    (good,) = await signed([an_erased()], BILLING)
    with pytest.raises(TamperError):
        proven(good.model_copy(update=changed), "billing", KEYS["billing"])


@pytest.mark.parametrize(
    "changed", [{"subjects": [TWO]}, {"part": 2}, {"parts": 1}, {"sealed": base64.b64encode(b"another file").decode()}]
)
async def test_the_note_of_a_part_binds_place_and_content(changed: dict[str, object]) -> None:
    (good,) = await signed([a_collected()], BILLING)
    with pytest.raises(TamperError):
        proven(good.model_copy(update=changed), "billing", KEYS["billing"])


async def test_a_note_of_one_verb_is_none_of_another() -> None:
    for one in TRUE:
        for two in TRUE:
            if text_of(one()) != text_of(two()):
                with pytest.raises(KeptError):
                    proven(
                        one().model_copy(update={"note": await sign_note(text_of(two()), BILLING)}), "billing", KEYS["billing"]
                    )


async def test_what_a_holder_sends_is_proven_and_names_nobody_in_its_headers() -> None:
    """As `ce_subject` a pseudonym would have the log seal another team's answer under a key that the erasure destroys."""
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    now = SystemClock().now()
    locate = Locate(request_id=REQ, locators=["loc_1"], reply_by="t")
    collect = Collect(request_id=REQ, subject=ONE, holders=["billing"], recipient=recipient, reply_by="t")
    erase = Erase(request_id=REQ, subject=ONE, holders=["billing"], approval_id="apr_1")
    category = Category(name="c", purpose="p", basis="b", retention="r", records=[{"v": "x" * 250_000}, {"v": "y" * 250_000}])
    shredded, last = await erased("billing", erase, Forgotten(3, 0), at=now, signer=BILLING, topic="billing.events")
    sent = [
        await located("billing", locate, [Found(ONE, ["b", "a"]), Found(TWO)], BILLING),
        *await collected("billing", collect, [category], BILLING),
        last,
    ]
    assert [type(one).__name__ for one in sent] == ["BillingLocated", "BillingCollected", "BillingCollected", "BillingErased"]
    for one in sent:
        assert isinstance(one, Answer) and one.topic == "kept.dsar.answers.billing"
        proven(one, "billing", KEYS["billing"])
    assert isinstance(last, Erased) and parse_erasure(read(last.note, KEYS["billing"])) == erasure_of(last)
    for event in (*sent, shredded):
        record = to_record(event, Actor.system("billing"), now, "id")
        assert "ce_subject" not in dict(record.headers) and ONE in (record.value or b"").decode()
    assert shredded.type_ == "kept.billing.subject.shredded.v2"
