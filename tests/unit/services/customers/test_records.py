"""Records: what a value must be, what changed, how much a purpose sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customers.policy.load import load
from services.customers.records.model import changed, clean, identifiers, seen
from shared.errors import InvalidInputError

POLICY = load()
LUIS = {"first_name": "Luís", "email": "luisg@embraer.com.br", "phone": "+55 (12) 3923-5555", "country": "Brazil"}


def test_what_changed_is_told_by_value() -> None:
    wanted = {"first_name": " Luís ", "city": "São Paulo"}
    assert changed(LUIS, wanted, "support", POLICY) == {"city": "São Paulo"}
    assert changed(LUIS, {"phone": ""}, "contact", POLICY) == {"phone": None}


@pytest.mark.parametrize("guess", ["luisg@embraer.com.br", "somebody@else.example"])
@pytest.mark.parametrize("purpose", sorted(POLICY.purposes))
def test_who_may_not_see_a_value_cannot_learn_it_by_writing_guesses(purpose: str, guess: str) -> None:
    if POLICY.levels(purpose)["email"] == "clear":
        return
    with pytest.raises(InvalidInputError) as refused:
        changed(LUIS, {"email": guess}, purpose, POLICY)
    assert refused.value.field == "email"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("fax", "1", "purpose"), ("email", "nobody", "e-mail"), ("email", "", "empty"), ("last_name", "  ", "empty"),
        ("city", "x" * 201, "limit"), ("city", "a\nb", "control"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_field_and_never_repeated(name: str, value: str, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        clean(name, value, POLICY)
    assert refused.value.field == name
    assert says in refused.value.detail
    assert len(value.strip()) < 2 or value not in refused.value.detail


def test_identifiers_are_normalised_and_a_number_nobody_can_dial_is_none() -> None:
    assert identifiers(LUIS) == {"email": "luisg@embraer.com.br", "phone": "+551239235555"}
    assert identifiers({"phone": "0711 2842222", "country": "Germany"}) == {"phone": "+497112842222"}
    assert identifiers({"phone": "12", "country": "Atlantis"}) == {}


def test_a_purpose_sees_what_it_needs() -> None:
    support = seen(LUIS, "support", POLICY)
    assert (support["first_name"].level, support["first_name"].value) == ("clear", "Luís")
    assert support["email"].value is not None and "luisg" not in support["email"].value
    assert seen({**LUIS, "address": "Rua 1"}, "support", POLICY)["address"].value is None
    assert seen(LUIS, "contact", POLICY)["email"].value == LUIS["email"]


@given(st.text(min_size=5, max_size=60), st.sampled_from(sorted(POLICY.purposes)), st.sampled_from(sorted(POLICY.fields)))
def test_no_value_is_shown_whole_unless_its_level_is_clear(value: str, purpose: str, name: str) -> None:
    shown = seen({name: value}, purpose, POLICY)[name]
    assert shown.value != value or shown.level == "clear"
    assert shown.level != "hidden" or shown.value is None
