"""One-time codes, and the two languages."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dsar.desk import texts as desk
from services.dsar.law.model import Right
from services.dsar.portal.model import (
    CODE_LIFE,
    CODE_NUMBERS,
    CODE_RESENT_MAX,
    CODE_TRIES_MAX,
    code_text,
    is_live,
    may_resend,
    numbers,
    typed_code,
)
from services.dsar.portal.texts import EN, ZH, words
from services.dsar.requests.model import Reached, State, reached
from shared.errors import InvalidInputError

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "kinds"),
    [("17", {"external"}), (" 0017 ", {"external"}), ("１７", {"external"}), ("+55 12 3923-5555", {"phone"})],
)
def test_a_typed_number_is_what_it_may_be(typed: str, kinds: set[str]) -> None:
    found = numbers(typed)
    assert {kind for kind, _ in found} == kinds
    assert kinds == {"phone"} or ("external", "customer:17") in found


@pytest.mark.parametrize("typed", ["", "Luís", "12-34", "customer:17", "+1", "x" * 500])
def test_what_is_no_number_is_said_to_be_none(typed: str) -> None:
    with pytest.raises(InvalidInputError):
        numbers(typed)


@given(st.integers(0, CODE_NUMBERS - 1))
def test_what_we_send_can_be_typed_back(number: int) -> None:
    assert int(typed_code(code_text(number))) == number


@pytest.mark.parametrize("typed", ["12345678", "1234 5678", " 1234-5678 ", "１２３４ ５６７８", "1234\u20135678"])
def test_people_may_type_it_as_they_like(typed: str) -> None:
    assert typed_code(typed) == "12345678"


@pytest.mark.parametrize("typed", ["", "1234567", "123456789", "1234567a", "1234+5678", "1" * 100_000])
def test_anything_else_is_not_a_code(typed: str) -> None:
    with pytest.raises(InvalidInputError):
        typed_code(typed)


def test_a_code_dies_of_age_and_of_tries() -> None:
    assert is_live(NOW + CODE_LIFE, 0, NOW)
    assert not is_live(NOW, 0, NOW)
    assert not is_live(NOW + CODE_LIFE, CODE_TRIES_MAX, NOW)


def test_a_living_code_is_sent_again_but_not_for_ever() -> None:
    later = NOW + CODE_RESENT_MAX
    assert may_resend(NOW, NOW + CODE_LIFE, CODE_TRIES_MAX - 1, NOW)
    assert not may_resend(NOW, NOW + CODE_LIFE, CODE_TRIES_MAX, NOW), "what was guessed at five times is dead"
    assert not may_resend(NOW, NOW, 0, NOW), "and what is too old"
    assert not may_resend(NOW, later + CODE_LIFE, 0, later), "sent again and again, it still ends"


def test_both_languages_say_everything_with_the_same_gaps() -> None:
    assert EN.keys() == ZH.keys()
    for key in EN:
        assert set(re.findall(r"{\w+}", EN[key])) == set(re.findall(r"{\w+}", ZH[key])), key


DONE = {  # what was never true of a request that came only so far
    Reached.RECEIVED: ("destroyed", "answer", "We looked for"),
    Reached.PROVEN: ("destroyed", "answer"),
    Reached.ASKED: ("was ready",),
    Reached.HELD: (),
    Reached.NOTHING: ("destroyed", "answer"),
    Reached.REFUSED: ("destroyed", "answer"),
    Reached.ERASING: ("nothing",),
    Reached.ERASED: ("nothing",),
}


@pytest.mark.parametrize(
    ("right", "outcome", "proven", "dispatched", "came"),
    [
        ("access", None, False, False, Reached.RECEIVED),
        ("erasure", None, True, False, Reached.PROVEN),
        ("access", None, True, True, Reached.ASKED),
        ("erasure", None, True, True, Reached.ERASING),
        ("access", "held", True, True, Reached.HELD),
        ("erasure", "nothing", True, True, Reached.NOTHING),
        ("erasure", "refused", True, False, Reached.REFUSED),
        ("erasure", "erased", True, True, Reached.ERASED),
    ],
)
def test_a_closed_request_says_how_far_it_came(
    right: Right, outcome: str, proven: bool, dispatched: bool, came: Reached
) -> None:
    assert reached(right, outcome, proven=proven, dispatched=dispatched) is came
    said = EN[f"reached.{came}"]
    assert not any(untrue in said for untrue in DONE[came]) and ZH[f"reached.{came}"]
    assert came in (Reached.ERASED, Reached.ERASING) or "erased" in said, "whether anything was erased is always said"


def test_what_closes_says_nothing_of_an_answer_that_may_never_have_been() -> None:
    for key in ("closed.lead", "closed.soon", "mail.closed", "close.lead"):
        assert "answer" not in EN[key] and "答复" not in ZH[key], key


def test_words_fill_their_gaps() -> None:
    assert words("en", "mail.code.subject", code="1234 5678") == "Your code: 1234 5678"


def test_the_desk_speaks_both_languages() -> None:
    assert desk.EN.keys() == desk.ZH.keys()
    assert {f"state.{one}" for one in State} <= desk.EN.keys()
    assert desk.words("zh", "left", days=3) == "还剩 3 天"
    assert desk.words("zh", "state.brand-new") == "brand-new"


def test_no_text_says_more_than_was_done() -> None:
    """P13: a person is not a record, and what holders say is what holders say. These sentences were untrue."""
    for untrue in ("You are forgotten", "Every system that held data on you", "Every system has destroyed", "Nothing is held"):
        assert not any(untrue in text for text in EN.values()), untrue
    for untrue in ("您已被遗忘", "每个持有您数据的系统都已销毁", "每个系统都已销毁"):
        assert not any(untrue in text for text in ZH.values()), untrue
