"""Nobody but the owner of the data decides whose data it is."""

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dsar.saga.whose import GIVEN, OWNERS, Said, alone, confirmed, owner_of

HOLDERS = ("audit", "billing", "customers", "dsar", "identity", "shop")
LUIS, JANE, EVA = "sub_luis", "sub_jane", "sub_eva"  # two customers; a colleague
OWN = "sub_own"  # of a holder that makes its own
MADE = {LUIS: "customers", JANE: "customers", EVA: "identity"}


def said(holder: str, *subjects: str) -> list[Said]:
    return [Said(holder, one, (f"loc_{holder}_{one}", "loc_shared")) for one in subjects]


def test_whom_the_owner_names_is_everybodys() -> None:
    claims = [*said("customers", LUIS), *said("audit", LUIS), *said("billing", LUIS)]
    for those in chain.from_iterable(combinations(claims, n) for n in range(4)):
        named = claims[0] in those
        assert list(confirmed(those, MADE)) == ([LUIS] if named else [])
        assert alone(those, MADE) == ({} if named or claims[2] not in those else {LUIS: []})


@pytest.mark.parametrize("thief", ["billing", "identity", "shop"])
def test_nobody_is_asked_about_a_record_that_its_owner_does_not_name(thief: str) -> None:
    """It is left out, and counted: a certificate that covered it would say more than was done."""
    claims = [*said("customers", LUIS), *said(thief, JANE)]
    assert list(confirmed(claims, MADE)) == [LUIS] and alone(claims, MADE) == {JANE: []}


@pytest.mark.parametrize("holder", ["billing", "shop"])
def test_what_a_holder_alone_made_is_asked_about_there_alone(holder: str) -> None:
    claims = [*said("customers", LUIS), *said(holder, OWN)]
    assert list(confirmed(claims, MADE)) == [LUIS] and alone(claims, MADE) == {OWN: [holder]}


@pytest.mark.parametrize("holder", GIVEN)
def test_who_is_given_subjects_by_their_owner_knows_nobody_alone(holder: str) -> None:
    """Audit may be a moment behind a change of address: what it has is not the old address's any more."""
    assert not confirmed(said(holder, LUIS), MADE) and not alone(said(holder, LUIS), MADE)


def test_one_owner_does_not_speak_for_the_other() -> None:
    assert not confirmed(said("customers", EVA), MADE) and alone(said("customers", EVA), MADE) == {EVA: []}
    assert list(confirmed([*said("customers", LUIS), *said("identity", EVA)], MADE)) == [EVA, LUIS]


def test_where_the_bus_has_forgotten_who_made_a_subject_one_owner_must_name_it_and_no_other() -> None:
    assert owner_of(LUIS, said("customers", LUIS), {}) == "customers"
    assert owner_of(LUIS, [*said("customers", LUIS), *said("identity", LUIS)], {}) is None
    assert owner_of(LUIS, said("billing", LUIS), {}) is None


def test_people_are_told_apart_by_what_the_owner_says_of_them() -> None:
    """Else a holder could say that a number of the thief's leads to the other one."""
    claims = [*said("customers", JANE, LUIS), Said("billing", JANE, ("loc_thief",))]
    assert confirmed(claims, MADE) == {one: [f"loc_customers_{one}", "loc_shared"] for one in (JANE, LUIS)}
    assert alone(claims, MADE) == {}


def test_several_that_nobody_can_tell_apart_are_left_out() -> None:
    claims = [*said("customers", LUIS), *said("billing", JANE, EVA), *said("shop", EVA)]
    assert alone(claims, MADE) == {EVA: [], JANE: []}


claims = st.lists(
    st.builds(Said, holder=st.sampled_from(HOLDERS), subject=st.sampled_from([LUIS, JANE, EVA, "sub_x"]), locators=st.just(())),
    unique_by=lambda one: (one.holder, one.subject),
)


@given(claims, st.sampled_from([MADE, {}]))
def test_nobody_is_asked_about_whom_they_did_not_name_and_their_owner_did_not(those: list[Said], made: dict[str, str]) -> None:
    ours, theirs = confirmed(those, made), alone(those, made)
    naming = {(one.holder, one.subject) for one in those}
    for subject in ours:
        owner = made.get(subject)
        assert (owner, subject) in naming if owner else {(one, subject) for one in OWNERS} & naming
    for subject, holders in theirs.items():
        assert not (holders and subject in made)
        assert subject not in ours and {(one, subject) for one in holders} <= naming and not {*holders} & {*GIVEN}
    assert (ours, theirs) == (confirmed(those[::-1], made), alone(those[::-1], made))


@pytest.mark.parametrize("others", [[], ["shop"], ["customers", "shop"]])
def test_a_colleague_whom_identity_does_not_name_is_nobodys_to_ask_about(others: list[str]) -> None:
    """Whoever the erasure is about may not decide on it: a holder could keep all who decide from it by naming them."""
    claims = [*said("customers", LUIS), *said("billing", EVA), *(one for holder in others for one in said(holder, EVA))]
    assert alone(claims, MADE) == {EVA: []}
    assert alone([*claims, *said("identity", EVA)], MADE) == {}, "whom it names is the request's, and everybody is asked"
