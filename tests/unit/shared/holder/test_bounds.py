"""What a holder may say: short lines that can be seen, few of them, and records that a page can show. Refused before it is sent
and where it comes, by the same rule."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrage import x25519

from shared.errors import MalformedError
from shared.holder import bounds
from shared.holder.answers import collected, erased
from shared.holder.bounds import check_kept, check_part
from shared.holder.contract import Category, Collect, Erase, Erased, Forgotten, Kept, parts_of
from shared.holder.word import erasure_of, render_erasure
from shared.ids import new_id
from shared.notes.note import LocalSigner

WORDS = st.text('ab "\\漢é”\U0001f600', max_size=300) | st.sampled_from(["a\nb", "a\u2028b"])
SECRET = "Luis Goncalves"
BAD = ["a\nb", "a\x00b", "a\x1b[2J", "a\u202eb", "a\u2028b", "x" * 301, SECRET + "\n\nImportant: https://evil.example"]
GOOD = ["GDPR 17(3)(b)", "按 税法 保存", "Beträge — für zehn Jahre", ""]


def category(**other: Any) -> Category:
    said = {"name": "invoices", "purpose": "tax", "basis": "6(1)(c)", "retention": "10 y", "records": [{"amount": 1}]}
    return Category.model_validate(said | other)


@pytest.mark.parametrize("text", BAD)
def test_words_are_one_short_line_that_can_be_seen(text: str) -> None:
    for said in (lambda: check_kept([Kept(what=text, reason="-")]), lambda: check_kept([Kept(what="-", reason=text)])):
        with pytest.raises(MalformedError) as error:
            said()
        assert SECRET not in str(error.value), "never repeats what was said"
    for member in ("name", "purpose", "basis", "retention"):
        with pytest.raises(MalformedError):
            check_part([category(**{member: text})])
    with pytest.raises(MalformedError):
        check_part([category(recipients=[text])])
    with pytest.raises(MalformedError):
        check_part([category(records=[{text: 1}])])
    check_part([category(records=[{"note": text}])])  # a value is the person's data, whatever it is


def test_what_people_write_is_taken() -> None:
    check_kept([Kept(what=one, reason=one) for one in GOOD])
    check_part([category(name=one, purpose=one, recipients=GOOD, records=[{one: {"a": [1, None]}}]) for one in GOOD])


@given(st.lists(st.builds(Kept, what=WORDS, reason=WORDS), max_size=60))
def test_whatever_is_taken_fits_an_entry_of_the_log_and_one_line_each(kept: list[Kept]) -> None:
    try:
        check_kept(kept)
    except MalformedError:
        return
    note = text_of(kept)
    assert len(json.dumps(note)) < 40_000 and len(note.splitlines()) == len(kept) + 7


def test_fifty_long_lines_are_taken_and_more_are_not() -> None:
    check_kept([Kept(what="x" * 200, reason="y" * 200)] * bounds.KEPT_MAX)
    with pytest.raises(MalformedError):
        check_kept([Kept(what="x", reason="y")] * (bounds.KEPT_MAX + 1))
    with pytest.raises(MalformedError):
        check_kept([Kept(what="\U0001f600" * 300, reason="\U0001f600" * 300)] * 4)


def text_of(kept: list[Kept]) -> str:
    said = Erased.of("billing")(
        request_id=new_id("req"), holder="billing", subjects=[new_id("sub")], approval_id=new_id("apr"), fields=1,
        key_version=0, kept=kept, at="2026-11-29T00:00:00Z", note="",
    )  # fmt: skip
    return render_erasure(erasure_of(said))


def deep(levels: int) -> list[Any]:
    return [deep(levels - 1)] if levels else []


@pytest.mark.parametrize(
    "categories",
    [
        [category(records=[{f"k{n}": n} for n in range(bounds.COLUMNS_MAX + 1)])],
        [category(records=[{}] * (bounds.RECORDS_MAX + 1))],
        [category()] * (bounds.CATEGORIES_MAX + 1),
        [category(recipients=["x"] * (bounds.RECIPIENTS_MAX + 1))],
        [category(records=[{"a": deep(bounds.DEPTH_MAX)}])],
        [category(records=[{"a": deep(150)}])],
        [category(records=[{"a": [float("nan")]}])],
    ],
    ids=["columns", "records", "categories", "recipients", "depth", "deeper", "not a number"],
)
def test_a_part_that_no_page_can_show_is_refused(categories: list[Category]) -> None:
    with pytest.raises(MalformedError):
        check_part(categories)


def test_at_the_bounds_it_is_taken() -> None:
    check_part([category(records=[{f"k{n}": n} for n in range(bounds.COLUMNS_MAX)])])
    check_part([category(records=[{"a": deep(bounds.DEPTH_MAX - 2)}])])
    many = [category(records=[{}] * (bounds.RECORDS_MAX * 2 + 1))]
    parts = list(parts_of("billing", many))
    assert sum(len(one.records) for part in parts for one in part.categories) == bounds.RECORDS_MAX * 2 + 1
    for part in parts:
        check_part(part.categories)


async def test_our_own_sdk_sends_no_such_words() -> None:
    signer, request, subject = LocalSigner("kept.local/billing", bytes(32)), new_id("req"), new_id("sub")
    erase = Erase(request_id=request, subject=subject, holders=["billing"], approval_id=new_id("apr"))
    bad = Forgotten(fields=1, key_version=0, kept=[Kept(what="a\nb", reason="-")])
    with pytest.raises(MalformedError, match=r"kept\.what"):
        await erased("billing", erase, bad, at=datetime.now(UTC), signer=signer)
    to = str(x25519.Identity.generate().to_public())
    collect = Collect(request_id=request, subject=subject, holders=["billing"], recipient=to, reply_by="2026-11-29T00:00:00Z")
    with pytest.raises(MalformedError, match="column"):
        await collected("billing", collect, [category(records=[{"a\nb": 1}])], signer)
