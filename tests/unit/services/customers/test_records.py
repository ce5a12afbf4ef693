"""Records: what a value must be, what changed, how much a purpose sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customers.policy.load import load
from services.customers.records.model import changed, clean, clean_row, found_by, seen
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
        ("fax", "1", "purpose"), ("email", "nobody", "e-mail"), ("email", "", "empty"), ("email", " \u3164", "empty"),
        ("city", "x" * 201, "limit"), ("city", "a\nb", "U+000A at character 2"),
        ("first_name", "An\u200bna", "U+200B at character 3"),
        ("email", "kim@t.example;lee@t.example", "list"), ("postal_code", "1\x852", "U+0085"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_field_and_never_repeated(name: str, value: str, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        clean(name, value, POLICY)
    assert refused.value.field == name
    assert says in refused.value.detail
    assert len(value.strip()) < 2 or value not in refused.value.detail


def test_identifiers_are_normalised_and_a_number_nobody_can_dial_is_none() -> None:
    assert found_by(LUIS) == [("email", "luisg@embraer.com.br"), ("phone", "+551239235555")]
    assert found_by({"phone": "0711 2842222", "country": "Germany"}) == [("phone", "+497112842222")]
    assert found_by({"phone": "12", "country": "Atlantis"}) == []
    assert found_by({"email": "anna@@t.example"}) == []  # stored by a version that took it


def test_a_phone_that_cannot_be_used_is_kept_and_noted() -> None:
    row = {**LUIS, "last_name": "Gonçalves", "phone": " 1.2E+10 "}
    cleaned = clean_row(row, POLICY)
    assert cleaned.values["phone"] == "1.2E+10"
    assert [(one.field, "spreadsheet" in one.reason) for one in cleaned.notes] == [("phone", True)]
    assert not clean_row({**row, "phone": LUIS["phone"]}, POLICY).notes
    assert not clean_row({**row, "phone": "\u200b"}, POLICY).notes


def test_an_address_of_mail_is_kept_as_its_owner_writes_it() -> None:
    assert clean("email", " mailto:Jane@München.de ", POLICY) == "Jane@München.de"


def test_a_purpose_sees_what_it_needs() -> None:
    support = seen(LUIS, POLICY.sight("support"))
    assert (support["first_name"].level, support["first_name"].value) == ("clear", "Luís")
    assert support["email"].value is not None and "luisg" not in support["email"].value
    assert seen({**LUIS, "address": "Rua 1"}, POLICY.sight("support"))["address"].value is None
    assert seen(LUIS, POLICY.sight("contact"))["email"].value == LUIS["email"]


@given(st.text(min_size=5, max_size=60), st.sampled_from(sorted(POLICY.purposes)), st.sampled_from(sorted(POLICY.fields)))
def test_no_value_is_shown_whole_unless_its_level_is_clear(value: str, purpose: str, name: str) -> None:
    shown = seen({name: value}, POLICY.sight(purpose))[name]
    assert shown.value != value or shown.level == "clear"
    assert shown.level != "hidden" or shown.value is None
