"""If-Match (RFC 9110 section 13.1.1): strong comparison, several tags; and 428 without it (RFC 6585)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError, PreconditionError, PreconditionRequiredError
from shared.etag import Condition, etag

versions = st.integers(min_value=1, max_value=10**9)


@given(versions, versions)
def test_only_the_version_that_was_seen_passes(seen: int, now: int) -> None:
    for condition in (Condition.parse(etag(seen)), Condition.on(seen)):
        if seen == now:
            condition.require(now)
        else:
            with pytest.raises(PreconditionError):
                condition.require(now)


@pytest.mark.parametrize("text", ['"1", "3"', ' "3" ', '"xyzzy", W/"2", "3"', '"3",W/"3"'])
def test_what_rfc_9110_lets_pass(text: str) -> None:
    Condition.parse(text).require(3)


@pytest.mark.parametrize("text", ['W/"3"', '"4"', '""', '"xyzzy"'])
def test_a_weak_or_another_tag_does_not(text: str) -> None:
    with pytest.raises(PreconditionError):
        Condition.parse(text).require(3)


@pytest.mark.parametrize("text", ["3", '"3', "W/3", '"a" "b"', '"3",', "**", '*, "3"', "'3'"])
def test_what_is_no_tag_is_said_to_be_none(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Condition.parse(text)
    assert refused.value.field == "If-Match"


@pytest.mark.parametrize("text", ["", "  ", "*"])
def test_without_it_nothing_is_updated(text: str) -> None:
    with pytest.raises(PreconditionRequiredError) as refused:
        Condition.parse(text)
    assert refused.value.status == 428


@given(st.text(max_size=60))
def test_any_header_gets_one_of_the_three_answers(text: str) -> None:
    try:
        Condition.parse(text).require(7)
    except (PreconditionError, PreconditionRequiredError, InvalidInputError):
        return
    assert '"7"' in text
