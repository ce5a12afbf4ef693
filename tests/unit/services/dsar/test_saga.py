"""The saga's rules, and a walk through every order in which holders may answer."""

from datetime import timedelta
from itertools import permutations

import pytest

from services.dsar.requests.model import NEXT, State, may_move
from services.dsar.saga.model import (
    ASKER,
    Asked,
    Decided,
    Fit,
    Step,
    answers_us,
    next_step,
    outstanding,
    pick,
    silent_holders,
    wait_before,
)

HOLDERS = ("audit", "billing", "customers", "dsar", "identity")
SUB = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f"


def asked(command: str, answered: set[str], subject: str = "") -> list[Asked]:
    return [Asked(holder, command, subject, holder in answered) for holder in HOLDERS]  # type: ignore[arg-type]  # test data


@pytest.mark.parametrize("right", ["access", "erasure"])
def test_nothing_is_held_only_when_everybody_said_so(right: str) -> None:
    def step(answered: set[str], patient: bool) -> Step:
        return next_step(right, State.VERIFIED, asked("locate", answered), [], patient=patient)  # type: ignore[arg-type]

    assert step(set(HOLDERS), True) is Step.ANSWER_NOTHING
    assert step(set(HOLDERS) - {"billing"}, False) is Step.WAIT, "a silent holder may be the one that knows"


def test_an_access_goes_on_without_a_silent_holder_and_an_erasure_does_not() -> None:
    some = asked("locate", {"customers"})
    assert next_step("access", State.VERIFIED, some, [SUB], patient=True) is Step.WAIT
    assert next_step("access", State.VERIFIED, some, [SUB], patient=False) is Step.COLLECT
    assert next_step("erasure", State.VERIFIED, some, [SUB], patient=False) is Step.WAIT
    half = asked("erase", {"customers"}, SUB)
    assert next_step("erasure", State.DISPATCHED, half, [SUB], patient=False) is Step.WAIT


@pytest.mark.parametrize(
    ("requester", "people", "approvers", "ours"),
    [
        (ASKER, {"a", "b"}, {"x", "y"}, True),
        (ASKER, {"a", "b"}, set(), True),
        (ASKER, {"a"}, {"x", "y"}, False),  # agreed to for one of them only
        (ASKER, {"a", "b", "c"}, {"x", "y"}, False),
        (ASKER, {"c"}, {"x", "y"}, False),
        (ASKER, {"a", "b"}, {"x", "b"}, False),  # whom it concerns
        (ASKER, {"a", "b"}, {"x", ASKER}, False),
        ("sub_staff", {"a", "b"}, {"x", "y"}, False),  # what staff asked for
        ("system:identity", {"a", "b"}, {"x", "y"}, False),
        ("", {"a"}, {"x", "y"}, True),  # of an identity from before, which named the first person only
        ("", {"c"}, {"x", "y"}, False),
        ("", set(), {"x", "y"}, False),  # what staff asked for over HTTP named nobody
        ("", {"a"}, {"x", "b"}, False),
    ],
)
def test_only_the_answer_to_what_we_asked_counts(requester: str, people: set[str], approvers: set[str], ours: bool) -> None:
    said = Decided(requester, frozenset(people), frozenset(approvers))
    assert answers_us(said, ["a", "b"]) is ours


def test_an_erasure_waits_for_two_people() -> None:
    everyone = asked("locate", set(HOLDERS))
    assert next_step("erasure", State.VERIFIED, everyone, [SUB], patient=True) is Step.REQUEST_APPROVAL
    assert next_step("erasure", State.ASSESSED, everyone, [SUB], patient=False) is Step.WAIT
    assert next_step("erasure", State.APPROVED, everyone, [SUB], patient=True) is Step.ERASE


@pytest.mark.parametrize("order", list(permutations(HOLDERS, 5))[::13])
def test_in_whatever_order_holders_answer_the_end_is_the_same(order: tuple[str, ...]) -> None:
    for right, command, last in (("access", "collect", Step.ANSWER_HELD), ("erasure", "erase", Step.ATTEST)):
        for count in range(5):
            rows = asked("locate", set(HOLDERS)) + asked(command, set(order[:count]), SUB)
            assert next_step(right, State.DISPATCHED, rows, [SUB], patient=True) is Step.WAIT  # type: ignore[arg-type]
        rows = asked("locate", set(HOLDERS)) + asked(command, set(order), SUB)
        assert next_step(right, State.DISPATCHED, rows, [SUB], patient=True) is last  # type: ignore[arg-type]


@pytest.mark.parametrize("right", ["access", "erasure"])
@pytest.mark.parametrize("patient", [True, False])
def test_nobodys_data_moves_while_it_is_unclear_whose(right: str, patient: bool) -> None:
    everyone = asked("locate", set(HOLDERS))
    step = next_step(right, State.VERIFIED, everyone, [SUB], patient=patient, unclear=True)  # type: ignore[arg-type]
    assert step is Step.WAIT


def test_a_number_picks_one_of_those_who_share_an_address() -> None:
    family = {"sub_a": ["loc_mail", "loc_17"], "sub_b": ["loc_mail", "loc_18", "loc_home"], "sub_c": ["loc_mail", "loc_home"]}
    assert pick(family, ["loc_18", "loc_employee_18"]) == (Fit.ONE, "sub_b")
    for nobody in (["loc_99"], []):
        assert pick(family, nobody) == (Fit.NONE, None)
    for shared in (["loc_home"], ["loc_mail"], ["loc_17", "loc_18"]):
        assert pick(family, shared) == (Fit.SEVERAL, None), "what stands on two records proves neither"


def test_a_certificate_waits_for_the_log_and_for_a_last_look() -> None:
    rows = asked("erase", set(HOLDERS), SUB)

    def step(attested: bool, looked: set[str]) -> Step:
        more = [Asked("audit", "attest", "", attested), *asked("recheck", looked)]
        return next_step("erasure", State.DISPATCHED, [*rows, *more], [SUB], patient=False)

    assert step(False, set(HOLDERS)) is Step.WAIT
    assert step(True, set(HOLDERS) - {"customers"}) is Step.WAIT, "it may know of a record that came meanwhile"
    assert step(True, set(HOLDERS)) is Step.CERTIFY
    begun_before = [*rows, Asked("audit", "attest", "", True)]  # by the version that did not look again
    assert next_step("erasure", State.DISPATCHED, begun_before, [SUB], patient=True) is Step.ATTEST


def test_who_is_silent_is_named() -> None:
    rows = asked("locate", set(HOLDERS)) + asked("collect", {"audit", "dsar"}, SUB)
    assert outstanding(rows, "collect") == ["billing", "customers", "identity"]
    assert silent_holders(rows) == (sorted(HOLDERS), ["billing", "customers", "identity"])
    never = asked("locate", set(HOLDERS) - {"billing"}) + asked("collect", set(HOLDERS), SUB)
    assert silent_holders(never)[1] == ["billing"], "who never said whom it knows may know more"


def test_asking_again_gets_more_patient_and_never_stops() -> None:
    assert wait_before(1) == timedelta(seconds=15)
    assert wait_before(2) == timedelta(seconds=30)
    assert wait_before(10_000) == timedelta(hours=1)


def test_nothing_leaves_closed_and_everything_can_get_there() -> None:
    assert not NEXT[State.CLOSED]
    assert all(may_move(state, State.CLOSED) for state in State if state is not State.CLOSED)
    assert not may_move(State.ASSESSED, State.DISPATCHED), "no way around the approval"
