"""The field policy: the file in force is whole, and a file that is not says where."""

import pytest

from services.customers.pages.texts import EN, ZH
from services.customers.policy.load import load, parse
from services.customers.recipients.model import RECIPIENTS, of_category
from services.customers.tables import FIELDS, Customer
from shared.errors import InvalidInputError, MalformedError
from shared.keys.column import SealedText

POLICY = load()


def test_every_field_has_purpose_basis_retention_and_an_encrypted_column() -> None:
    for name, rule in POLICY.fields.items():
        assert rule.purpose and rule.basis and rule.retention and rule.category
        assert isinstance(Customer.__table__.c[name].type, SealedText), f"{name} would be stored in clear"


def test_no_encrypted_column_is_without_a_purpose() -> None:
    sealed = {c.name for c in Customer.__table__.columns if isinstance(c.type, SealedText)}
    keys = {"number", "owner_number"}  # which record it is, and for whom it waits
    assert sealed - keys == set(POLICY.fields) == set(FIELDS)


def test_no_purpose_sees_everything() -> None:
    for purpose in POLICY.purposes:
        assert set(POLICY.levels(purpose).values()) != {"clear"}, purpose


def test_a_purpose_nobody_reviewed_is_refused() -> None:
    assert POLICY.require_purpose(None) == POLICY.require_purpose("") == "support"
    with pytest.raises(InvalidInputError) as refused:
        POLICY.require_purpose("curiosity")
    assert refused.value.field == "purpose" and "curiosity" not in refused.value.detail


@pytest.mark.parametrize(
    ("text", "says"), [("", "Field required"), ("= 1", "field policy"), ("version = 0", "version"), ("extra = 1", "")]
)
def test_a_broken_file_says_where(text: str, says: str) -> None:
    with pytest.raises(MalformedError) as refused:
        parse(text)
    assert says in refused.value.detail


def test_recipients_speak_of_categories_that_exist() -> None:
    known = {rule.category for rule in POLICY.fields.values()}
    assert {c for one in RECIPIENTS for c in one.categories} <= known
    assert all(of_category(category) for category in known)


def test_both_languages_have_the_same_words_and_every_field_a_name() -> None:
    assert set(EN) == set(ZH) >= set(POLICY.fields)
